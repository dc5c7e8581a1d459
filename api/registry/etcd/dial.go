// Package etcd is how sealane talks to etcd: one way to make a client, one time limit for
// a call, one translation of its errors. Packages registry and leader use it.
package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/sealane/sealane/api"
)

// Options say how to prove who we are and who answers. The zero value is plain etcd
// without users. Secrets are named by file.
type Options struct {
	CAFile       string // certificate authority of the servers, PEM; empty: the system's
	CertFile     string // client certificate, PEM; empty: none
	KeyFile      string // its key, PEM
	Username     string // empty: no etcd user
	PasswordFile string // file with the user's password
}

// How long a dead peer goes unnoticed: a ping after 5 s of silence, 3 s for its answer.
// etcd refuses clients that ping more often than every 5 s (--grpc-keepalive-min-time).
const (
	pingAfter   = 5 * time.Second
	pingTimeout = 3 * time.Second
)

// Dial makes a client for the endpoints, URLs such as "http://192.168.0.10:2379". It does
// not wait for etcd to answer, save with a Username, whose first token it fetches.
func Dial(endpoints []string, o Options) (*clientv3.Client, error) {
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("etcd: no endpoint given, for example http://192.168.0.10:2379: %w", api.ErrInvalid)
	}
	secure, err := o.tls(endpoints)
	if err != nil {
		return nil, err
	}
	password, err := o.password()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		DialTimeout:          CallTimeout,
		DialKeepAliveTime:    pingAfter,
		DialKeepAliveTimeout: pingTimeout,
		TLS:                  secure,
		Username:             o.Username,
		Password:             password,
		Logger:               zap.NewNop(),
		DialOptions:          []grpc.DialOption{grpc.WithChainUnaryInterceptor(recordAttempt)},
	})
	if err != nil {
		return nil, callError("log in", endpoints, err, err, false)
	}
	return client, nil
}

func (o Options) password() (string, error) {
	if o.Username == "" || o.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("etcd: password of user %s: %w", o.Username, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// tls is nil for plain http endpoints without certificates.
func (o Options) tls(endpoints []string) (*tls.Config, error) {
	if o.CAFile == "" && o.CertFile == "" && !strings.HasPrefix(endpoints[0], "https://") {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("etcd: certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd: %s holds no certificate in PEM form: %w", o.CAFile, api.ErrInvalid)
		}
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("etcd: client certificate %s: %w", o.CertFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
