package firewall

import "strings"

// words are a line's, read one by one.
type words struct {
	all []string
	at  int
}

func (w *words) more() bool { return w.at < len(w.all) }

// peek is the word n ahead, empty past the end.
func (w *words) peek(n int) string {
	if w.at+n >= len(w.all) {
		return ""
	}
	return w.all[w.at+n]
}

func (w *words) next() string {
	s := w.peek(0)
	w.at++
	return s
}

// take steps over the given words if they come next.
func (w *words) take(want ...string) bool {
	for i, s := range want {
		if w.peek(i) != s || w.at+i >= len(w.all) {
			return false
		}
	}
	w.at += len(want)
	return true
}

// until reads on to the first word of which stop says so.
func (w *words) until(stop func(string) bool) []string {
	from := w.at
	for w.more() && !stop(w.peek(0)) {
		w.at++
	}
	return w.all[min(from, len(w.all)):min(w.at, len(w.all))]
}

// split cuts a line into words at blanks. A quoted word loses its quotes; a character of
// single is a word by itself.
func split(line, single string) []string {
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		switch {
		case line[0] == '"':
			word, rest := quoted(line[1:])
			all, line = append(all, word), rest
		case strings.IndexByte(single, line[0]) >= 0:
			all, line = append(all, line[:1]), line[1:]
		default:
			end := strings.IndexAny(line, " \t\""+single)
			if end < 0 {
				end = len(line)
			}
			all, line = append(all, line[:end]), line[end:]
		}
	}
	return all
}

// quoted reads up to the closing quote; a backslash keeps the character behind it.
func quoted(s string) (word, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
