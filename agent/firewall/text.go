package firewall

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ruleText is a rule of nftables as an operator would write it, without its counters.
func ruleText(r *nftRule) string {
	var words []string
	for _, e := range r.Expr {
		if text, printed := e.(string); printed {
			words = append(words, strings.Fields(text)...)
		}
		for key, value := range object(e) {
			if text := statementText(key, value); text != "" {
				words = append(words, text)
			}
		}
	}
	if r.Comment != "" {
		words = append(words, "comment "+strconv.Quote(r.Comment))
	}
	return strings.Join(words, " ")
}

func statementText(key string, value any) string {
	o := object(value)
	switch key {
	case "match":
		return matchText(o)
	case "vmap":
		return exprText(o["key"]) + " vmap " + exprText(o["data"])
	case "counter":
		return ""
	case "mangle":
		return exprText(o["key"]) + " set " + setValueText(o["key"], o["value"])
	case "jump", "goto":
		return fmt.Sprintf("%s %v", key, o["target"])
	case "snat", "dnat", "redirect", "masquerade":
		return natText(key, o)
	case "xt":
		return strings.TrimSpace(fmt.Sprintf("xt %v %q", textOr(o["type"], "match"), textOr(o["name"], "")))
	case "limit", "quota":
		return limitText(key, o)
	case "log":
		return logText(o)
	case "reject":
		return rejectText(o)
	}
	if value == nil {
		return key
	}
	return key + " " + exprText(value)
}

func textOr(v any, without string) string {
	if s, ok := v.(string); ok {
		return s
	}
	return without
}

func matchText(m map[string]any) string {
	left, op := exprText(m["left"]), textOr(m["op"], "==")
	if op == "in" || op == "==" && object(m["left"])["&"] == nil {
		return left + " " + rightText(m["left"], m["right"])
	}
	return left + " " + op + " " + rightText(m["left"], m["right"])
}

// rightText is a value: marks are told in hexadecimal, names of interfaces in quotes.
func rightText(left, right any) string {
	name := exprText(left)
	if s, ok := right.(string); ok && slices.Contains([]string{"iif", "oif", "iifname", "oifname"}, name) && !strings.HasPrefix(s, "@") {
		return strconv.Quote(s)
	}
	if list, ok := right.([]any); ok {
		return listText(list, ",")
	}
	return setValueText(left, right)
}

func setValueText(key, value any) string {
	if n, ok := value.(float64); ok && strings.Contains(exprText(key), "mark") {
		return fmt.Sprintf("%#x", uint64(n))
	}
	return exprText(value)
}

// exprText is an expression; one that has no form here as it was printed.
func exprText(e any) string {
	switch e := e.(type) {
	case []any:
		return listText(e, ", ")
	case map[string]any:
		for key, value := range e {
			if text, ok := objectText(key, value); ok {
				return text
			}
		}
	default:
		if text := valueText(e); text != "" {
			return text
		}
	}
	printed, err := json.Marshal(e)
	if err != nil {
		return "?"
	}
	return string(printed)
}

func listText(list []any, between string) string {
	var texts []string
	for _, e := range list {
		if pair, ok := e.([]any); ok && len(pair) == 2 {
			texts = append(texts, exprText(pair[0])+" : "+verdictText(pair[1]))
			continue
		}
		texts = append(texts, exprText(e))
	}
	return strings.Join(texts, between)
}

func verdictText(v any) string {
	for key, value := range object(v) {
		return statementText(key, value)
	}
	return exprText(v)
}

func objectText(key string, value any) (string, bool) {
	o := object(value)
	list, _ := value.([]any)
	switch key {
	case "payload":
		if o["protocol"] == nil {
			return fmt.Sprintf("@%v,%v,%v", o["base"], o["offset"], o["len"]), true
		}
		return fmt.Sprintf("%v %v", o["protocol"], o["field"]), true
	case "meta":
		name := textOr(o["key"], "")
		if slices.Contains([]string{"iif", "oif", "iifname", "oifname"}, name) {
			return name, true
		}
		return "meta " + name, true
	case "ct":
		return strings.Join(slices.DeleteFunc([]string{"ct", textOr(o["dir"], ""), textOr(o["key"], "")}, func(s string) bool { return s == "" }), " "), true
	case "fib":
		return "fib " + strings.Join(stringsOf(o["flags"]), " . ") + " " + textOr(o["result"], ""), true
	case "concat":
		return listText(list, " . "), true
	case "set":
		if s, ok := value.(string); ok {
			return s, true
		}
		return "{ " + listText(list, ", ") + " }", true
	case "elem":
		return exprText(o["val"]), true
	case "prefix", "range":
		return valueText(map[string]any{key: value}), true
	case "&", "|", "^", "<<", ">>":
		var texts []string
		for _, v := range list {
			if n, ok := v.(float64); ok {
				texts = append(texts, fmt.Sprintf("%#x", uint64(n)))
				continue
			}
			texts = append(texts, exprText(v))
		}
		return strings.Join(texts, " "+key+" "), true
	default:
		return "", false
	}
}

func natText(key string, o map[string]any) string {
	to := ""
	if o["addr"] != nil {
		to = exprText(o["addr"])
	}
	if o["port"] != nil {
		if strings.Contains(to, ":") {
			to = "[" + to + "]"
		}
		to += ":" + exprText(o["port"])
	}
	if to != "" {
		key += " to " + to
	}
	if flags := stringsOf(o["flags"]); len(flags) > 0 {
		key += " " + strings.Join(flags, ",")
	}
	return key
}

func limitText(key string, o map[string]any) string {
	over := ""
	if o["inv"] == true {
		over = "over "
	}
	if key == "quota" {
		return "quota " + over + valueText(o["val"]) + " " + textOr(o["val_unit"], "")
	}
	return fmt.Sprintf("limit rate %s%s/%s", over, valueText(o["rate"]), textOr(o["per"], "second"))
}

func logText(o map[string]any) string {
	text := "log"
	if prefix, ok := o["prefix"].(string); ok {
		text += " prefix " + strconv.Quote(prefix)
	}
	if level, ok := o["level"].(string); ok {
		text += " level " + level
	}
	return text
}

func rejectText(o map[string]any) string {
	kind, reason := textOr(o["type"], ""), textOr(o["expr"], "")
	switch {
	case kind == "":
		return "reject"
	case reason == "":
		return "reject with " + kind
	default:
		return "reject with " + kind + " type " + reason
	}
}
