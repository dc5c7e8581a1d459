package alisim

import (
	"net/http"
	"time"
)

// settings are the options that may be changed while the simulator runs, with durations
// written like "2s".
type settings struct {
	TaskTime    Duration       `json:"taskTime"`
	ReadTime    Duration       `json:"readTime"`
	WriteTime   Duration       `json:"writeTime"`
	UnknownTime Duration       `json:"unknownTime"`
	TokenMemory Duration       `json:"tokenMemory"`
	PageTime    Duration       `json:"pageTime"`
	SessionTime Duration       `json:"sessionTime"`
	Rates       map[string]int `json:"rates"`
	Readings    Readings       `json:"readings"`
	LongestURI  int            `json:"longestUri"`
	Strict      bool           `json:"strict"`
}

func settingsOf(o Options) settings {
	out := settings{
		TaskTime: Duration(o.TaskTime), ReadTime: Duration(o.ReadTime), WriteTime: Duration(o.WriteTime),
		UnknownTime: Duration(o.UnknownTime), TokenMemory: Duration(o.TokenMemory), PageTime: Duration(o.PageTime),
		SessionTime: Duration(o.SessionTime), Rates: o.Rates, Readings: o.Readings, LongestURI: o.LongestURI, Strict: o.Strict,
	}
	if out.Rates == nil {
		out.Rates = map[string]int{}
	}
	return out
}

// putSettings changes what the body names and leaves the rest. Rates are replaced as a whole.
func (s Control) putSettings(r *http.Request) (any, error) {
	text, err := jsonBody(r)
	if err != nil {
		return nil, err
	}
	s.Settings.Tune(func(o *Options) { // at once: two who change different things both do
		n := settingsOf(*o)
		rates := n.Rates
		n.Rates = nil
		if n, err = decode(text, n); err != nil {
			return
		}
		if n.Rates == nil {
			n.Rates = rates
		}
		o.TaskTime, o.ReadTime, o.WriteTime = time.Duration(n.TaskTime), time.Duration(n.ReadTime), time.Duration(n.WriteTime)
		o.UnknownTime, o.TokenMemory = time.Duration(n.UnknownTime), time.Duration(n.TokenMemory)
		o.PageTime, o.SessionTime = time.Duration(n.PageTime), time.Duration(n.SessionTime)
		o.Rates, o.Readings, o.LongestURI, o.Strict = n.Rates, n.Readings, n.LongestURI, n.Strict
	})
	if err != nil {
		return nil, err
	}
	return settingsOf(s.Settings.Options()), nil
}
