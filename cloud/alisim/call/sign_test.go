package call

import (
	"testing"
)

// TestSignatureVector is a signature that the vendor's SDK made and an independent
// implementation reproduced.
func TestSignatureVector(t *testing.T) {
	params := map[string]string{
		"AccessKeyId": "testid", "Action": "CreateRouteEntry", "Description": "host a*b~c;x=1+2",
		"DestinationCidrBlock": "172.20.5.0/24", "Format": "JSON", "NextHopId": "i-1", "NextHopType": "Instance",
		"RegionId": "cn-hangzhou", "RouteTableId": "vtb-1", "SignatureMethod": "HMAC-SHA1",
		"SignatureNonce": "1257d17284b14f65367d3eca3fa7adf5", "SignatureType": "", "SignatureVersion": "1.0",
		"Timestamp": "2026-11-20T23:05:03Z", "Version": "2016-04-28",
		"Signature": "is left out",
	}
	if got := signText("testsecret", stringToSign("POST", params)); got != "CBZ2cgxV3y9J65f8qy5o5dlbPog=" {
		t.Errorf("signature is %s", got)
	}
}

func TestPercentEncode(t *testing.T) {
	if got := percentEncode("aZ0-_.~ *+/=é"); got != "aZ0-_.~%20%2A%2B%2F%3D%C3%A9" {
		t.Errorf("encoded as %s", got)
	}
}
