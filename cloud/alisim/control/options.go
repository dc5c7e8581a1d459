package control

import (
	"cmp"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// Options say how the simulated cloud behaves. All of them may be changed later, see
// [Settings.Tune].
type Options struct {
	// TaskTime is how long an asynchronous change takes, where a VPC has no task time of its
	// own. With 0 a change is done at once: the next request finds it Available.
	TaskTime time.Duration

	// ReadTime and WriteTime are how long the cloud takes to answer: actions that begin with
	// Describe, Get or List, and all others. The work is done at the end of that time, so an
	// answer is fresh, and a change's task begins when the call returns.
	ReadTime, WriteTime time.Duration

	// UnknownTime is how long the VPC does not know an instance that AddInstance started:
	// until then it is refused as a next hop with IllegalParam.NextHopId.
	UnknownTime time.Duration

	// TokenMemory is how long a ClientToken is remembered (0: 24 h), PageTime how long a
	// NextToken holds (0: 10 min), SessionTime how long the credentials of an instance's RAM
	// role do (0: 6 h). None of these is documented.
	TokenMemory, PageTime, SessionTime time.Duration

	// Rates are calls per minute by action, counted from the first call of a minute; those
	// above get Throttling.User with x-acs-retry-after. An action without a rate has none.
	Rates map[string]int

	// Readings choose where the API's documents contradict one another or are silent.
	Readings world.Readings

	// LongestURI is the longest request line in bytes, above which the gateway answers an HTML
	// 414 (0: 16 KiB; the cloud's limit is not documented, 9.5 KB is known to pass).
	LongestURI int

	// LocalInstance is who callers from loopback are to the metadata service, where no instance
	// has their address. Empty: nobody.
	LocalInstance string

	// Strict refuses unsigned requests even when the seed holds no keys. With keys in the
	// seed signatures are always verified.
	Strict bool

	// Log gets one debug line for each request. nil: none.
	Log *slog.Logger

	// RequestLog gets each [Request] as a line of JSON. nil: none. A write that fails is not
	// repeated.
	RequestLog io.Writer
}

const (
	defaultURI     = 16 << 10
	defaultSession = 6 * time.Hour
	defaultMemory  = 24 * time.Hour
	defaultPage    = 10 * time.Minute
)

// complete fills in the defaults.
func (o Options) complete() Options {
	o.TokenMemory = cmp.Or(max(0, o.TokenMemory), defaultMemory)
	o.PageTime = cmp.Or(max(0, o.PageTime), defaultPage)
	o.SessionTime = cmp.Or(max(0, o.SessionTime), defaultSession)
	o.LongestURI = cmp.Or(max(0, o.LongestURI), defaultURI)
	o.Rates = maps.Clone(o.Rates)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// behaviour is what of the options the world follows by itself.
func (o Options) behaviour() world.Behaviour {
	return world.Behaviour{TaskTime: o.TaskTime, UnknownTime: o.UnknownTime, Readings: o.Readings}
}

// Settings are the options of a simulator that runs.
type Settings struct {
	live *world.Live // guards opts
	opts Options
}

// NewSettings makes a world behave as the options say, with every default filled in.
func NewSettings(opts Options, live *world.Live) *Settings {
	s := &Settings{live: live, opts: opts}
	s.Tune(func(*Options) {})
	return s
}

// Options are the options as they are now, with every default filled in.
func (s *Settings) Options() (now Options) {
	s.live.Locked(func(*world.World) {
		now = s.opts
		now.Rates = maps.Clone(now.Rates)
	})
	return now
}

// Tune changes how the cloud behaves from the next request on. Tasks that run keep their
// time.
func (s *Settings) Tune(change func(*Options)) {
	s.live.Locked(func(w *world.World) {
		o := s.opts
		o.Rates = maps.Clone(o.Rates)
		change(&o)
		s.opts = o.complete()
		w.Behaviour = s.opts.behaviour()
	})
}

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
