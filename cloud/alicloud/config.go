package alicloud

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud/call"
	"github.com/sealane/sealane/cloud/alicloud/credential"
	"github.com/sealane/sealane/cloud/metadata"
)

// Config says where the cloud is, which VPC is meant and who asks.
type Config struct {
	Region string
	VPC    api.VPCID

	// Endpoint replaces the addresses of both products, VPC and ECS: host:port for HTTPS,
	// or an address with its scheme. Empty means the region's own endpoints inside the VPC,
	// over HTTPS. EndpointECS is that of ECS, where it is another one. Proxies of the
	// environment are used, but for loopback, private and the cloud's own addresses.
	Endpoint, EndpointECS string

	// One of: a key, with a token if it is a temporary one; a file that holds one, which
	// may be replaced at any time; and the name of the RAM role that is attached to this
	// instance.
	AccessKeyID     credential.Secret
	AccessKeySecret credential.Secret
	SecurityToken   credential.Secret
	CredentialsFile string
	RoleName        string
	MetadataURL     string // where the role's credentials are; empty means metadata.DefaultURL

	Timeout time.Duration // of one request; 0 means 10 s
	Settle  time.Duration // how long a sent change may take to be seen; 0 means 60 s
	Poll    time.Duration // shortest pause between two reads of it; 0 means 20 ms
	Quota   int           // custom entries a table may hold, which the API does not tell; 0 means 200
	Pacer   call.Pacer    // nil means none
	Seal    api.Seal      // what marks are written and read with
	Log     *slog.Logger  // nil means none
}

const (
	defaultTimeout = 10 * time.Second
	defaultSettle  = 60 * time.Second
	defaultPoll    = 20 * time.Millisecond
	defaultQuota   = 200 // vpc_quota_route_entrys_num (VPC quota page)
)

func (c Config) validate() error {
	switch {
	case !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(c.Region):
		return fmt.Errorf("region %q: not a region id such as cn-hangzhou: %w", c.Region, api.ErrInvalid)
	case !strings.HasPrefix(string(c.VPC), "vpc-"):
		return fmt.Errorf("vpc %q: not a VPC id such as vpc-bp1...: %w", c.VPC, api.ErrInvalid)
	case c.Timeout < 0 || c.Settle < 0 || c.Poll < 0 || c.Quota < 0:
		return fmt.Errorf("timeout, settle, poll and quota must not be negative: %w", api.ErrInvalid)
	}
	return c.validateCredentials()
}

func (c Config) validateCredentials() error {
	if slices.Contains(strings.Split(os.Getenv("DEBUG"), ","), "sdk") {
		return fmt.Errorf("environment: DEBUG=sdk makes the vendor's SDK print each request with its signature; unset it: %w", api.ErrInvalid)
	}
	given := 0
	for _, s := range []string{string(c.AccessKeyID) + string(c.AccessKeySecret) + string(c.SecurityToken), c.CredentialsFile, c.RoleName} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("credentials: give one of an access key, a file, and the role of this instance: %w", api.ErrInvalid)
	case c.CredentialsFile == "" && c.RoleName == "" && (c.AccessKeyID == "" || c.AccessKeySecret == ""):
		return fmt.Errorf("credentials: an access key is an id and a secret: %w", api.ErrInvalid)
	}
	return nil
}

// source is where the credentials come from. What it needs of this machine it tries at
// once, so that a file with a mistake is found at start.
func (c Config) source(log *slog.Logger) (call.Source, error) {
	switch {
	case c.CredentialsFile != "":
		return credential.FromFile(c.CredentialsFile, log)
	case c.RoleName != "":
		return credential.FromRole(c.RoleName, metadata.Client{URL: c.MetadataURL}, log), nil
	}
	return credential.NewFixed(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken), nil
}
