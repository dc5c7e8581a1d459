package alisim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"

	"github.com/sealane/sealane/cloud/alisim/simtest"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/sealane/sealane/cloud/alisim"
)

// commandLine is the vendor's command line tool: "aliyun vpc Action --Name value --endpoint
// host:port --insecure". For these products it is a common request of the vendor's SDK with
// what stood on the command line in the query.
type commandLine struct {
	client *sdk.Client
	domain string
}

func aliyun(t *testing.T, sim *alisim.Sim) commandLine {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	server := httptest.NewServer(sim.API())
	t.Cleanup(server.Close)
	client, err := sdk.NewClientWithOptions("cn-hangzhou", sdk.NewConfig(), credentials.NewAccessKeyCredential("testid", "testsecret"))
	if err != nil {
		t.Fatal(err)
	}
	client.AppendUserAgent("Aliyun-CLI", "3.0.200")
	return commandLine{client, strings.TrimPrefix(server.URL, "http://")}
}

func (c commandLine) request(product, version, action string, with simtest.Args) *requests.CommonRequest {
	r := requests.NewCommonRequest()
	r.Product, r.Version, r.ApiName = product, version, action
	r.RegionId, r.Domain, r.Scheme, r.Method = "cn-hangzhou", c.domain, "http", "POST"
	maps.Copy(r.QueryParams, with)
	return r
}

func (c commandLine) call(t *testing.T, r *requests.CommonRequest) map[string]any {
	t.Helper()
	answer, err := c.client.ProcessCommonRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(answer.GetHttpContentBytes(), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestCommandLineMergesPages is --pager, which reads three numbers of an answer and asks on,
// or a token where the action has one.
func TestCommandLineMergesPages(t *testing.T) {
	sim := simtest.NewKeyed(t, alisim.Options{}, func(s *alisim.Seed) {
		for n := range 21 {
			s.VPCs[0].Tables = append(s.VPCs[0].Tables, alisim.Table{ID: fmt.Sprintf("vtb-more-%d", n)})
		}
	})
	c := aliyun(t, sim)
	seen := 0
	for page, pages := 1, 1; page <= pages; page++ {
		r := c.request("Vpc", "2016-04-28", "DescribeRouteTableList", simtest.Args{"VpcId": "vpc-1", "PageNumber": strconv.Itoa(page)})
		body := c.call(t, r)
		total, size := body["TotalCount"].(float64), body["PageSize"].(float64) // numbers, or the tool falls over
		if body["PageNumber"].(float64) != float64(page) {
			t.Errorf("page %d says it is %v", page, body["PageNumber"])
		}
		pages = int((total + size - 1) / size)
		seen += len(body["RouterTableList"].(map[string]any)["RouterTableListType"].([]any))
	}
	if seen != 23 {
		t.Errorf("%d tables, want 23", seen)
	}
	seen = 0
	r := c.request("Vpc", "2016-04-28", "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "MaxResult": "2"})
	for token := "x"; token != ""; r.QueryParams["NextToken"] = token {
		body := c.call(t, r)
		seen += len(body["RouteEntrys"].(map[string]any)["RouteEntry"].([]any))
		token, _ = body["NextToken"].(string)
	}
	if seen != 3 {
		t.Errorf("%d entries, want 3", seen)
	}
}

// TestCommandLineWaits makes an entry, repeats itself after a throttle when the header says
// so, and polls as --waiter does.
func TestCommandLineWaits(t *testing.T) {
	sim := simtest.NewKeyed(t, alisim.Options{TaskTime: 50 * time.Millisecond})
	sim.Fault(alisim.Fault{Action: "CreateRouteEntry", Code: "Throttling.User", RetryAfter: 250 * time.Millisecond})
	c := aliyun(t, sim)
	create := c.request("Vpc", "2016-04-28", "CreateRouteEntry", simtest.EntryArgs("172.20.5.0/24"))
	_, err := c.client.ProcessCommonRequest(create)
	var failed *sdkerrors.ServerError
	if !errors.As(err, &failed) || !strings.Contains(failed.ErrorCode(), "Throttling") {
		t.Fatalf("error is %v", err)
	}
	after := ""
	for name, values := range failed.RespHeaders {
		if strings.EqualFold(name, "x-acs-retry-after") {
			after = values[0]
		}
	}
	if after != "250" {
		t.Errorf("x-acs-retry-after is %q, want 250 (milliseconds)", after)
	}
	create.Headers["x-acs-retry-attempts"], create.Headers["x-acs-retry-delay"] = "1", after
	if id, _ := c.call(t, create)["RouteEntryId"].(string); id == "" {
		t.Error("no RouteEntryId")
	}
	poll := c.request("Vpc", "2016-04-28", "DescribeRouteEntryList", simtest.Args{"RouteTableId": "vtb-1", "DestinationCidrBlock": "172.20.5.0/24"})
	for deadline := time.Now().Add(5 * time.Second); ; {
		list := c.call(t, poll)["RouteEntrys"].(map[string]any)["RouteEntry"].([]any)
		status := list[0].(map[string]any)["Status"]
		if status == "Available" {
			break
		}
		if status != "Pending" || time.Now().After(deadline) {
			t.Fatalf("status is %v", status)
		}
	}
}

// TestCommandLineKnowsWhoAndWhere are the calls of "aliyun configure" and "aliyun sts".
func TestCommandLineKnowsWhoAndWhere(t *testing.T) {
	c := aliyun(t, simtest.NewKeyed(t, alisim.Options{}))
	who := c.call(t, c.request("Sts", "2015-04-01", "GetCallerIdentity", nil))
	if who["AccountId"] != "1000000000000001" || who["IdentityType"] != "Account" {
		t.Errorf("caller is %v", who)
	}
	where := c.call(t, c.request("Ecs", "2014-05-26", "DescribeRegions", nil))
	if list := where["Regions"].(map[string]any)["Region"].([]any); list[0].(map[string]any)["RegionId"] != "cn-hangzhou" {
		t.Errorf("regions are %v", list)
	}
}
