package control

import (
	"net/http"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// settingsJSON are the options that may be changed while the simulator runs, with durations
// written like "2s".
type settingsJSON struct {
	TaskTime    seed.Duration  `json:"taskTime"`
	ReadTime    seed.Duration  `json:"readTime"`
	WriteTime   seed.Duration  `json:"writeTime"`
	UnknownTime seed.Duration  `json:"unknownTime"`
	TokenMemory seed.Duration  `json:"tokenMemory"`
	PageTime    seed.Duration  `json:"pageTime"`
	SessionTime seed.Duration  `json:"sessionTime"`
	Rates       map[string]int `json:"rates"`
	Readings    world.Readings `json:"readings"`
	LongestURI  int            `json:"longestUri"`
	Strict      bool           `json:"strict"`
}

func settingsForm(o Options) settingsJSON {
	out := settingsJSON{
		TaskTime: seed.Duration(o.TaskTime), ReadTime: seed.Duration(o.ReadTime), WriteTime: seed.Duration(o.WriteTime),
		UnknownTime: seed.Duration(o.UnknownTime), TokenMemory: seed.Duration(o.TokenMemory), PageTime: seed.Duration(o.PageTime),
		SessionTime: seed.Duration(o.SessionTime), Rates: o.Rates, Readings: o.Readings, LongestURI: o.LongestURI, Strict: o.Strict,
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
		n := settingsForm(*o)
		rates := n.Rates
		n.Rates = nil
		if n, err = decodeBody(text, n); err != nil {
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
	return settingsForm(s.Settings.Options()), nil
}
