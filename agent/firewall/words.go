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

func (w *words) nextWord() string {
	s := w.peek(0)
	w.at++
	return s
}

// takeWord steps over a word if it comes next.
func (w *words) takeWord(want string) bool {
	if !w.more() || w.peek(0) != want {
		return false
	}
	w.at++
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

// skip steps over n words.
func (w *words) skip(n int) { w.at = min(w.at+n, len(w.all)) }

// splitWords cuts a line into words at blanks. A quoted word loses its quotes.
func splitWords(line string) []string {
	var all []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] == '"' {
			word, rest := quoted(line[1:])
			all, line = append(all, word), rest
			continue
		}
		end := strings.IndexAny(line, " \t\"")
		if end < 0 {
			end = len(line)
		}
		all, line = append(all, line[:end]), line[end:]
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
