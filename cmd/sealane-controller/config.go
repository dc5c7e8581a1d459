package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alicloud"
	"github.com/sealane/sealane/cloud/alicloud/credential"
	"github.com/sealane/sealane/cmd/cli"
)

// flags are the command line as written; parse turns them into a config that cannot be wrong.
type flags struct {
	cluster, name, listen                 string
	vpc, region, endpoint, endpointECS    string
	role, credentialsFile                 string
	pools                                 []string
	policy                                string
	manage, markKeys                      []string
	unkeyed                               bool
	quota                                 int
	etcdEndpoints                         []string
	etcdListen, dataDir                   string
	resync, leaseTTL, settle, callTimeout time.Duration
	logLevel, logFormat                   string

	configured bool // the registry's configuration is meant: there is no first one to give
}

// config is what the command runs with.
type config struct {
	cluster, name, listen string
	initial               api.Config
	cloud                 alicloud.Config
	etcdEndpoints         []string // empty: an embedded etcd
	etcdListen            url.URL
	dataDir               string
	resync, leaseTTL      time.Duration
}

func (f *flags) registerFlags(set *pflag.FlagSet) {
	set.StringVar(&f.cluster, "cluster", "default", "name of the cluster; its routes are marked with it")
	set.StringVar(&f.name, "name", "", "name of this replica (default: the host's name)")
	set.StringVar(&f.listen, "listen", "127.0.0.1:8480", "address to serve the API and metrics on")
	set.StringVar(&f.vpc, "vpc", "", "id of the VPC whose route tables are programmed (required)")
	set.StringVar(&f.region, "region", "", "region of the VPC, for example cn-zhangjiakou (required)")
	set.StringVar(&f.endpoint, "endpoint", "", "address of the cloud API (default: the region's, over HTTPS, inside the VPC)")
	set.StringVar(&f.endpointECS, "endpoint-ecs", "", "address of the cloud API for ECS, where it is not that of --endpoint")
	set.StringVar(&f.role, "ram-role", "", "RAM role of this instance to sign with, instead of a key from the environment")
	set.StringVar(&f.credentialsFile, "credentials-file", "", "file with the key to sign with, instead of one from the environment; read again when it is replaced")
	set.StringSliceVar(&f.pools, "pool", nil, "range that subnets may come from; repeatable; used when the registry holds no configuration yet")
	set.StringVar(&f.policy, "policy", string(api.PolicyObserve), "observe, create-only, no-delete or full; used when the registry holds no configuration yet")
	set.StringSliceVar(&f.manage, "manage", nil, "what else of the cloud may be changed: source-dest-check, security-group; repeatable; used when the registry holds no configuration yet")
	set.StringSliceVar(&f.markKeys, "mark-key-file", nil, "file with a secret that the marks of routes are sealed with, the same for all replicas; repeatable: the first seals, routes sealed with the others are known and sealed anew")
	set.BoolVar(&f.unkeyed, "mark-unkeyed", false, "know marks that were made without a key, too, and seal them: while the first key is introduced")
	set.IntVar(&f.quota, "table-quota", 200, "custom routes that a route table may hold")
	set.StringSliceVar(&f.etcdEndpoints, "etcd-endpoints", nil, "etcd to use, for example http://10.1.2.3:2379; repeatable (default: an etcd of its own)")
	set.StringVar(&f.etcdListen, "etcd-listen", "http://127.0.0.1:2379", "where the etcd of its own listens for agents")
	set.StringVar(&f.dataDir, "data-dir", "/var/lib/sealane/controller", "directory of the etcd of its own")
	set.DurationVar(&f.resync, "resync", 30*time.Second, "longest time between two passes")
	set.DurationVar(&f.leaseTTL, "lease-ttl", 15*time.Second, "how long the lead outlives a replica that is gone")
	set.DurationVar(&f.settle, "settle-timeout", time.Minute, "how long to wait for the cloud to finish a change")
	set.DurationVar(&f.callTimeout, "call-timeout", 10*time.Second, "how long one call to the cloud may take")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "text", "text or json")
}

// parse checks everything and reports every problem at once.
func (f *flags) parse(getenv func(string) (string, bool)) (config, error) {
	var errs []error
	wrong := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s: %w", flag, fmt.Sprintf(format, args...), api.ErrUsage))
	}
	c := config{cluster: f.cluster, name: f.name, listen: f.listen, dataDir: f.dataDir, resync: f.resync, leaseTTL: f.leaseTTL}
	if err := cli.CheckCluster(f.cluster); err != nil {
		errs = append(errs, err)
	}
	if c.name == "" {
		name, err := os.Hostname()
		if err != nil {
			wrong("name", "the host has no name; give one (%v)", err)
		}
		c.name = name
	}
	if !strings.HasPrefix(f.vpc, "vpc-") {
		wrong("vpc", "%q is not a VPC id like vpc-8vb1example", f.vpc)
	}
	if f.region == "" {
		wrong("region", "none given, for example cn-zhangjiakou")
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		wrong("listen", "%q is not an address like 127.0.0.1:8480", f.listen)
	}
	for flag, d := range map[string]time.Duration{"resync": f.resync, "lease-ttl": f.leaseTTL, "settle-timeout": f.settle, "call-timeout": f.callTimeout} {
		if d < time.Second {
			wrong(flag, "%s is less than 1s", d)
		}
	}
	if f.leaseTTL < shortestLease {
		wrong("lease-ttl", "%s is less than %s", f.leaseTTL, shortestLease)
	}
	var err error
	if c.initial, err = f.initial(); err != nil && !f.configured {
		errs = append(errs, err)
	}
	if c.etcdEndpoints, c.etcdListen, err = f.etcd(); err != nil {
		errs = append(errs, err)
	}
	c.cloud = f.cloud(getenv)
	if c.cloud.Seal, err = readSeal(f.markKeys, f.unkeyed); err != nil {
		errs = append(errs, err)
	}
	if err := f.credentials(c.cloud); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 && c.etcdEndpoints == nil {
		if c.dataDir, err = filepath.Abs(f.dataDir); err != nil {
			wrong("data-dir", "%v", err)
		}
	}
	return c, errors.Join(errs...)
}

// shortestLease leaves a leader time for a batch between two renewals: it uses 70 % of the
// lease, and renews it each third.
const shortestLease = 10 * time.Second

// initial is the configuration for a registry that holds none.
func (f *flags) initial() (api.Config, error) {
	c := api.DefaultConfig()
	c.Policy, c.Manage = api.Policy(f.policy), managedList(f.manage)
	var err error
	if c.Pools, err = parsePools(f.pools); err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("--pool, --policy and --manage: %w: %w", err, api.ErrUsage)
	}
	return c, nil
}

func (f *flags) etcd() ([]string, url.URL, error) {
	for _, e := range f.etcdEndpoints {
		if u, err := url.Parse(e); err != nil || u.Host == "" {
			return nil, url.URL{}, fmt.Errorf("--etcd-endpoints %q: not an address like http://10.1.2.3:2379: %w", e, api.ErrUsage)
		}
	}
	u, err := url.Parse(f.etcdListen)
	if err != nil || u.Port() == "" {
		return nil, url.URL{}, fmt.Errorf("--etcd-listen %q: not an address like http://127.0.0.1:2379: %w", f.etcdListen, api.ErrUsage)
	}
	return f.etcdEndpoints, *u, nil
}

// Where the cloud's key comes from, under the names the vendor's own tools use.
const (
	keyID     = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	keySecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	keyToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

func (f *flags) cloud(getenv func(string) (string, bool)) alicloud.Config {
	env := func(name string) string { value, _ := getenv(name); return value }
	return alicloud.Config{
		Region: f.region, VPC: api.VPCID(f.vpc), Endpoint: f.endpoint, EndpointECS: f.endpointECS, Quota: f.quota,
		Timeout: f.callTimeout, Settle: f.settle,
		AccessKeyID: credential.Secret(env(keyID)), AccessKeySecret: credential.Secret(env(keySecret)),
		SecurityToken: credential.Secret(env(keyToken)), CredentialsFile: f.credentialsFile, RoleName: f.role,
	}
}
