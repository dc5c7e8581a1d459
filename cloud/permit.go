package cloud

import "errors"

// Permit is asked just before each request that changes something, from one goroutine at a
// time. Its error keeps that request and those after it from being sent, like the end of the
// context, but what is under way is settled first. The controller permits as long as its lease
// holds and nothing more urgent has come up.
type Permit func() error

// Always permits everything: for callers that nothing may interrupt.
func Always() error { return nil }

// ErrLater is a permit's answer that what was not sent yet can wait: something more urgent has
// come up. It does not end a change that is half made.
var ErrLater = errors.New("left to the next pass")

// Finishing is the permit for the steps of one change after the first: ErrLater does not end
// it there, where traffic would be without a route.
func (p Permit) Finishing() Permit {
	return func() error {
		if err := p(); !errors.Is(err, ErrLater) {
			return err
		}
		return nil
	}
}
