package host

// enrolment is what was changed of the engine's options.
type enrolment struct {
	Path   string  `json:"path"`
	Former *string `json:"former"` // content before; nil if there was no file
	Left   string  `json:"left"`   // content as we left it
}
