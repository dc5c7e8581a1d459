package call

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/api"
)

func TestReadByToken(t *testing.T) {
	var asked []string
	err := ReadByToken(func(token string) (string, error) {
		asked = append(asked, token)
		return map[string]string{"": "a", "a": "b"}[token], nil
	})
	if diff := cmp.Diff([]string{"", "a", "b"}, asked); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := ReadByToken(func(string) (string, error) { return "again", nil }); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("a token without end: got %v, want ErrUnreachable", err)
	}
}

func TestReadByNumber(t *testing.T) {
	for name, test := range map[string]struct {
		pages []int // entries on each
		total int
		want  error
	}{
		"empty": {[]int{0}, 0, nil},
		"three": {[]int{50, 50, 1}, 101, nil},
		"short": {[]int{50, 0}, 101, api.ErrUnreachable},
	} {
		err := ReadByNumber(func(number int) (int, int, error) { return test.pages[number-1], test.total, nil })
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}
