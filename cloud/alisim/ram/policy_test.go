package ram

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/api"
)

// document is a policy of one statement, written without its braces.
func document(statements ...string) string {
	return `{"Version":"1","Statement":[{` + strings.Join(statements, "},{") + `}]}`
}

func parsed(t *testing.T, text string) Policy {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	table1 = "acs:vpc:cn-hangzhou:1001:routetable/vtb-1"
	create = "vpc:CreateRouteEntry"
)

func TestAllows(t *testing.T) {
	allow := func(action, resource string) string {
		return fmt.Sprintf(`"Effect":"Allow","Action":%s,"Resource":%s`, action, resource)
	}
	deny := func(action, resource string) string {
		return fmt.Sprintf(`"Effect":"Deny","Action":%s,"Resource":%s`, action, resource)
	}
	for name, test := range map[string]struct {
		policy   string
		action   string // default create
		resource string // default table1
		want     bool
	}{
		"exact":                             {policy: document(allow(`"vpc:CreateRouteEntry"`, `"`+table1+`"`)), want: true},
		"everything":                        {policy: document(allow(`"*"`, `"*"`)), want: true},
		"in lists":                          {policy: document(allow(`["ecs:Describe*","vpc:CreateRouteEntry"]`, `["acs:ecs:*:*:*","acs:vpc:*:*:*"]`)), want: true},
		"action in another case":            {policy: document(allow(`"VPC:createROUTEentry"`, `"*"`)), want: true},
		"asked in another case":             {policy: document(allow(`"vpc:CreateRouteEntry"`, `"*"`)), action: "Vpc:CREATEROUTEENTRY", want: true},
		"wildcard at the end":               {policy: document(allow(`"vpc:Create*"`, `"*"`)), want: true},
		"wildcard within":                   {policy: document(allow(`"vpc:*Route*"`, `"*"`)), want: true},
		"wildcard for nothing":              {policy: document(allow(`"vpc:CreateRouteEntry*"`, `"*"`)), want: true},
		"whole service":                     {policy: document(allow(`"vpc:*"`, `"*"`)), want: true},
		"another service":                   {policy: document(allow(`"ecs:*"`, `"*"`))},
		"another action":                    {policy: document(allow(`"vpc:CreateRouteEntries"`, `"*"`))},
		"action is no prefix":               {policy: document(allow(`"vpc:Create"`, `"*"`))},
		"all but another action":            {policy: document(`"Effect":"Allow","NotAction":"vpc:Delete*","Resource":"*"`), want: true},
		"all but this action":               {policy: document(`"Effect":"Allow","NotAction":["vpc:Delete*","vpc:create*"],"Resource":"*"`)},
		"resource by wildcards":             {policy: document(allow(`"*"`, `"acs:*:*:*:routetable/*"`)), want: true},
		"part of an id":                     {policy: document(allow(`"*"`, `"acs:vpc:*:*:routetable/vtb-*"`)), want: true},
		"part of a region":                  {policy: document(allow(`"*"`, `"acs:vpc:cn-*:1001:routetable/vtb-1"`)), want: true},
		"another region":                    {policy: document(allow(`"*"`, `"acs:vpc:cn-beijing:1001:routetable/vtb-1"`))},
		"another account":                   {policy: document(allow(`"*"`, `"acs:vpc:cn-hangzhou:1002:routetable/vtb-1"`))},
		"another id":                        {policy: document(allow(`"*"`, `"acs:vpc:cn-hangzhou:1001:routetable/vtb-11"`))},
		"id is no prefix":                   {policy: document(allow(`"*"`, `"acs:vpc:cn-hangzhou:1001:routetable/vtb-"`))},
		"id in another case":                {policy: document(allow(`"*"`, `"acs:vpc:cn-hangzhou:1001:routetable/VTB-1"`))},
		"no region":                         {policy: document(allow(`"*"`, `"acs:vpc::1001:routetable/vtb-1"`))},
		"a wildcard stays in its part":      {policy: document(allow(`"*"`, `"acs:vpc:c*1:x:routetable/vtb-1"`))},
		"list is not covered by one id":     {policy: document(allow(`"*"`, `"`+table1+`"`)), resource: "acs:vpc:cn-hangzhou:1001:routetable/*"},
		"list is covered by a wildcard":     {policy: document(allow(`"*"`, `"acs:vpc:cn-hangzhou:1001:routetable/*"`)), resource: "acs:vpc:cn-hangzhou:1001:routetable/*", want: true},
		"all resources need all":            {policy: document(allow(`"*"`, `"acs:*:*:*:*"`)), resource: "*"},
		"all resources by all":              {policy: document(allow(`"*"`, `"*"`)), resource: "*", want: true},
		"deny wins, after":                  {policy: document(allow(`"*"`, `"*"`), deny(`"vpc:Create*"`, `"*"`))},
		"deny wins, before":                 {policy: document(deny(`"vpc:Create*"`, `"*"`), allow(`"*"`, `"*"`))},
		"deny of another action":            {policy: document(allow(`"*"`, `"*"`), deny(`"vpc:Delete*"`, `"*"`)), want: true},
		"deny of another resource":          {policy: document(allow(`"*"`, `"*"`), deny(`"*"`, `"acs:vpc:*:*:routetable/vtb-2"`)), want: true},
		"deny alone":                        {policy: document(deny(`"ecs:*"`, `"*"`))},
		"allow and deny need action and id": {policy: document(allow(`"vpc:Delete*"`, `"*"`), allow(`"*"`, `"acs:vpc:*:*:vpc/*"`))},
	} {
		action, resource := test.action, test.resource
		if action == "" {
			action = create
		}
		if resource == "" {
			resource = table1
		}
		if got, why := parsed(t, test.policy).Allows(Request{Action: action, Resource: resource}); got != test.want {
			t.Errorf("%s: got %t: %s", name, got, why)
		}
	}
}

func TestConditions(t *testing.T) {
	for condition, test := range map[string]struct{ holds, fails []string }{ // values of the key; "-": it is absent
		`"StringEquals":{"vpc:VPC":"vpc-1"}`:                                      {[]string{"vpc-1"}, []string{"VPC-1", "vpc-2", "", "-"}},
		`"StringEquals":{"vpc:VPC":["vpc-1","vpc-2"]}`:                            {[]string{"vpc-1", "vpc-2"}, []string{"vpc-3", "-"}},
		`"StringEquals":{"vpc:VPC":"vpc-*"}`:                                      {[]string{"vpc-*"}, []string{"vpc-1"}},
		`"StringNotEquals":{"vpc:VPC":["vpc-1","vpc-2"]}`:                         {[]string{"vpc-3", ""}, []string{"vpc-1", "vpc-2", "-"}},
		`"StringEqualsIgnoreCase":{"vpc:VPC":"vpc-a"}`:                            {[]string{"VPC-A"}, []string{"vpc-b", "-"}},
		`"StringNotEqualsIgnoreCase":{"vpc:VPC":"vpc-a"}`:                         {[]string{"vpc-b"}, []string{"VPC-A", "-"}},
		`"StringLike":{"vpc:VPC":"vpc-?b*"}`:                                      {[]string{"vpc-ab", "vpc-abc"}, []string{"vpc-b", "vpc-abb"[:4], "-"}},
		`"StringNotLike":{"vpc:VPC":"vpc-a*"}`:                                    {[]string{"vpc-b"}, []string{"vpc-a", "vpc-ab", "-"}},
		`"Bool":{"vpc:VPC":"true"}`:                                               {[]string{"true", "True"}, []string{"false", "", "-"}},
		`"Bool":{"vpc:VPC":["False"]}`:                                            {[]string{"false"}, []string{"true", "-"}},
		`"IpAddress":{"vpc:VPC":["10.0.0.0/8","192.168.1.1"]}`:                    {[]string{"10.1.2.3", "10.2.0.0/16", "192.168.1.1"}, []string{"0.0.0.0/0", "11.0.0.1", "x", "-"}},
		`"NotIpAddress":{"vpc:VPC":"10.0.0.0/8"}`:                                 {[]string{"11.0.0.1"}, []string{"10.0.0.1", "-"}},
		`"StringLike":{"vpc:VPC":"vpc-*"},"StringNotEquals":{"vpc:VPC":"vpc-1"}`:  {[]string{"vpc-2"}, []string{"vpc-1", "x", "-"}},
		`"StringEquals":{"vpc:VPC":"vpc-1","vpc:VRouter":"vrt-1"}`:                {nil, []string{"vpc-1"}},
		`"StringLike":{"vpc:VPC":"*"},"StringEquals":{"acs:SourceIp":"10.0.0.1"}`: {nil, []string{"vpc-1"}},
	} {
		p := parsed(t, document(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+condition+`}`))
		for value, want := range expectations(test.holds, test.fails) {
			if got, why := p.Allows(request(value)); got != want {
				t.Errorf("%s with %q: got %t: %s", condition, value, got, why)
			}
		}
	}
}

func expectations(holds, fails []string) map[string]bool {
	all := map[string]bool{}
	for _, v := range holds {
		all[v] = true
	}
	for _, v := range fails {
		all[v] = false
	}
	return all
}

func request(value string) Request {
	r := Request{Action: create, Resource: table1, Keys: map[string]string{"vpc:VPC": value}}
	if value == "-" {
		r.Keys = nil
	}
	return r
}

// What a request does not say never permits more: neither by an allowing statement nor by
// leaving out a denying one that is about everything but a value.
func TestMissingKeyPermitsNothing(t *testing.T) {
	all := `"Effect":"Allow","Action":"*","Resource":"*"`
	for name, test := range map[string]struct {
		condition string
		value     string
		want      bool
	}{
		"denied unless":              {`"StringNotEquals":{"vpc:VPC":"vpc-1"}`, "vpc-1", true},
		"denied unless, another":     {`"StringNotEquals":{"vpc:VPC":"vpc-1"}`, "vpc-2", false},
		"denied unless, absent":      {`"StringNotEquals":{"vpc:VPC":"vpc-1"}`, "-", false},
		"denied unless like, absent": {`"StringNotLike":{"vpc:VPC":"vpc-*"}`, "-", false},
		"denied if":                  {`"StringEquals":{"vpc:VPC":"vpc-1"}`, "vpc-1", false},
		"denied if, absent":          {`"StringEquals":{"vpc:VPC":"vpc-1"}`, "-", true},
	} {
		p := parsed(t, document(all, `"Effect":"Deny","Action":"*","Resource":"*","Condition":{`+test.condition+`}`))
		if got, why := p.Allows(request(test.value)); got != test.want {
			t.Errorf("%s: got %t: %s", name, got, why)
		}
	}
}

func TestWhy(t *testing.T) {
	p := parsed(t, document(`"Effect":"Allow","Action":"ecs:*","Resource":"*"`, `"Effect":"Allow","Action":"vpc:*","Resource":"*"`,
		`"Effect":"Deny","Action":"vpc:Delete*","Resource":"*"`))
	for action, want := range map[string]string{
		create:                 "statement 2 allows vpc:CreateRouteEntry on " + table1,
		"vpc:DeleteRouteEntry": "statement 3 denies vpc:DeleteRouteEntry on " + table1,
		"ram:CreateUser":       "no statement allows ram:CreateUser on " + table1,
	} {
		if _, why := p.Allows(Request{Action: action, Resource: table1}); why != want {
			t.Errorf("%s: got %q, want %q", action, why, want)
		}
	}
}

func TestJoin(t *testing.T) {
	read := parsed(t, document(`"Effect":"Allow","Action":"vpc:Describe*","Resource":"*"`))
	write := parsed(t, document(`"Effect":"Allow","Action":"vpc:Create*","Resource":"*"`))
	never := parsed(t, document(`"Effect":"Deny","Action":"*","Resource":"*"`))
	r := Request{Action: create, Resource: table1}
	for name, test := range map[string]struct {
		policy Policy
		want   bool
	}{"none": {}, "none joined": {policy: Join()}, "other": {policy: Join(read)}, "both": {Join(read, write), true}, "denied": {policy: Join(read, write, never)}} {
		if got, why := test.policy.Allows(r); got != test.want {
			t.Errorf("%s: got %t: %s", name, got, why)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := `"Effect":"Allow","Action":"*","Resource":"*"`
	for text, want := range map[string]string{ // the document, and a part of the message
		``:                               "not JSON",
		`{`:                              "not JSON",
		`[]`:                             "not a JSON object",
		`null`:                           "not a JSON object",
		document(good) + `x`:             "text follows",
		document(good) + `{}`:            "text follows",
		`{"Statement":[{` + good + `}]}`: "Version",
		`{"Version":1,"Statement":[{` + good + `}]}`:                 "Version",
		`{"Version":"2012-10-17","Statement":[{` + good + `}]}`:      "Version",
		`{"Version":"1","version":"1","Statement":[{` + good + `}]}`: `"version"`,
		`{"Version":"1","Version":"1","Statement":[{` + good + `}]}`: "twice",
		`{"Version":"1","Statement":[]}`:                             "Statement",
		`{"Version":"1","Statement":{` + good + `}}`:                 "Statement",
		`{"Version":"1"}`: "Statement",
		document(good, `"Effect":"allow","Action":"*","Resource":"*"`):                  "statement 2: member Effect",
		document(`"Action":"*","Resource":"*"`):                                         "Effect",
		document(`"effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"`):        `"effect"`,
		document(`"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"`):        "twice",
		document(good + `,"Sid":"x"`):                                                   `"Sid"`,
		document(good + `,"NotResource":"x"`):                                           `"NotResource"`,
		document(good + `,"Principal":"x"`):                                             `"Principal"`,
		document(good + `,"NotAction":"vpc:*"`):                                         "exclude",
		document(`"Effect":"Allow","Resource":"*"`):                                     "Action",
		document(`"Effect":"Allow","Action":[],"Resource":"*"`):                         "Action",
		document(`"Effect":"Allow","Action":[null],"Resource":"*"`):                     "Action",
		document(`"Effect":"Allow","Action":null,"Resource":"*"`):                       "Action",
		document(`"Effect":"Allow","Action":["vpc:*",1],"Resource":"*"`):                "Action",
		document(`"Effect":"Allow","Action":"CreateRouteEntry","Resource":"*"`):         "service:Action",
		document(`"Effect":"Allow","Action":"vpc:","Resource":"*"`):                     "service:Action",
		document(`"Effect":"Allow","Action":"vpc:a:b","Resource":"*"`):                  "service:Action",
		document(`"Effect":"Allow","Action":"vpc:Create Route","Resource":"*"`):         "wildcard",
		document(`"Effect":"Allow","NotAction":"","Resource":"*"`):                      "NotAction",
		document(`"Effect":"Allow","Action":"*"`):                                       "Resource",
		document(`"Effect":"Allow","Action":"*","Resource":""`):                         "Resource",
		document(`"Effect":"Allow","Action":"*","Resource":[]`):                         "Resource",
		document(`"Effect":"Allow","Action":"*","Resource":"acs:vpc:*"`):                "acs:service",
		document(`"Effect":"Allow","Action":"*","Resource":"arn:vpc:*:*:*"`):            "acs:service",
		document(`"Effect":"Allow","Action":"*","Resource":"acs:vpc:*:*:"`):             "acs:service",
		document(`"Effect":"Allow","Action":"*","Resource":"acs:vpc:{region}:*:vpc/*"`): "placeholders",
		document(`"Effect":"Allow","Action":"*","Resource":"acs:vpc:*:*:vpc/vpc-?"`):    "only wildcard",
		document(good + `,"Condition":{}`):                                              "Condition",
		document(good + `,"Condition":[]`):                                              "Condition",
		document(good + `,"Condition":null`):                                            "Condition",
		document(good + `,"Condition":{"StringEquals":{}}`):                             "no key",
		document(good + `,"Condition":{"StringEquals":{"vpc:VPC":[]}}`):                 "vpc:VPC",
		document(good + `,"Condition":{"StringEquals":{"vpc:VPC":true}}`):               "vpc:VPC",
		document(good + `,"Condition":{"StringEquals":{"VPC":"x"}}`):                    "service:Key",
		document(good + `,"Condition":{"StringEqual":{"vpc:VPC":"x"}}`):                 `operator "StringEqual"`,
		document(good + `,"Condition":{"stringEquals":{"vpc:VPC":"x"}}`):                `operator "stringEquals"`,
		document(good + `,"Condition":{"ForAllValues:StringEquals":{"vpc:VPC":"x"}}`):   "operator",
		document(good + `,"Condition":{"Bool":{"acs:MFAPresent":"yes"}}`):               "no value",
		document(good + `,"Condition":{"Bool":{"acs:MFAPresent":["true","false"]}}`):    "one value",
		document(good + `,"Condition":{"IpAddress":{"acs:SourceIp":"10.0.0"}}`):         "no value",
		document(good + `,"Condition":{"StringEquals":{"vpc:VPC":"x","vpc:VPC":"y"}}`):  "twice",
	} {
		p, err := Parse([]byte(text))
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s\n\tgot %v, want ErrInvalid with %q", text, err, want)
		}
		if allowed, _ := p.Allows(Request{Action: create, Resource: table1}); allowed {
			t.Errorf("%s\n\ta refused document permits", text)
		}
	}
}

// Whatever parses decides without trouble, and no statement outweighs one that denies all.
func FuzzPolicy(f *testing.F) {
	f.Add(document(`"Effect":"Allow","Action":["vpc:*","ecs:D*"],"Resource":"acs:vpc:*:*:routetable/*"`), create, table1, "x")
	f.Add(document(`"Effect":"Allow","NotAction":"*a*b*c*","Resource":"*","Condition":{"StringNotLike":{"vpc:VPC":["*?*"]}}`), "a", "*", "")
	f.Add(document(`"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"vpc:VPC":"::/0"}}`), "a:b", "acs::::", "::1")
	never, err := Parse([]byte(document(`"Effect":"Deny","Action":"*","Resource":"*"`)))
	if err != nil {
		f.Fatal(err)
	}
	all, err := Parse([]byte(document(`"Effect":"Allow","Action":"*","Resource":"*"`)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, action, resource, value string) {
		p, err := Parse([]byte(text))
		if err != nil {
			if !errors.Is(err, api.ErrInvalid) {
				t.Errorf("%v is not of kind ErrInvalid", err)
			}
			return
		}
		r := Request{Action: action, Resource: resource, Keys: map[string]string{"vpc:VPC": value}}
		allowed, why := p.Allows(r)
		if why == "" {
			t.Error("no reason")
		}
		if ok, _ := Join(p, never).Allows(r); ok {
			t.Errorf("permits what is denied: %s", why)
		}
		if ok, _ := Join(p, all).Allows(r); allowed && !ok {
			t.Errorf("one more allowing statement permits less: %s", why)
		}
	})
}
