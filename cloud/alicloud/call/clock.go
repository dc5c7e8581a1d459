package call

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
)

// isClockCode reports whether the cloud refuses a request for the time that it is signed with.
func isClockCode(code string) bool {
	return code == "InvalidTimeStamp.Expired" || strings.HasPrefix(code, "IllegalTimestamp")
}

// clockText says how far this machine's clock is off, by the time of the cloud's answer.
func clockText(answer *sdkerrors.ServerError, now time.Time) string {
	theirs, err := http.ParseTime(http.Header(answer.RespHeaders).Get("Date"))
	off := now.Sub(theirs).Round(time.Second)
	switch {
	case err != nil || off.Abs() < time.Minute: // the time of a gateway, or of a proxy
		return "the cloud does not accept the time of this machine's clock"
	case off > 0:
		return fmt.Sprintf("this machine's clock is off by %d s: it is ahead of the cloud's", int(off.Seconds()))
	default:
		return fmt.Sprintf("this machine's clock is off by %d s: it is behind the cloud's", int(-off.Seconds()))
	}
}
