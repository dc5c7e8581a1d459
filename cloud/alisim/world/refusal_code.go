package world

// vpcRefusals are the codes of the VPC actions.
func vpcRefusals() map[string]row {
	return map[string]row{
		"TaskConflict":                                                {400, "The operation is too frequent, please wait a moment and try again."},
		"IncorrectRouteEntryStatus":                                   {400, "Some route entry status blocked this operation."},
		"IncorrectVpcStatus":                                          {400, "The status of the VPC blocked this operation."},
		"IncorrectVSwitchStatus":                                      {400, "The status of a vSwitch blocked this operation."},
		"IncorrectStatus.RouteTableStatus":                            {400, "The status of the route table blocked this operation."},
		"IncorrectStatus.RouteTable":                                  {404, "The status of the route table blocked this operation."},
		"FORBIDDEN_USE_VPC_AS_INTERNET_GATEWAY":                       {400, "The VPC must not be used as an internet gateway."},
		"InvalidNexthopTypeAndList.BothNull":                          {400, "Neither a next hop nor a list of next hops is given."},
		"InvalidNexthopTypeAndList.BothNotNull":                       {400, "Both a next hop and a list of next hops are given."},
		"InvalidNextHopList.Size":                                     {400, "A list of next hops has 2 to 16 members."},
		"InvalidNexthop.DirectEni":                                    {400, "A primary network interface cannot be a next hop."},
		"ResourceNotAssociated.RouteTable":                            {400, "The vSwitch does not use this route table."},
		"OperationDenied.SystemRouteTable":                            {400, "A vSwitch cannot be taken from the system table."},
		"InvalidVSwitchId.NotFound":                                   {404, "The specified vSwitch does not exist."},
		"OperationDenied.SwitchToSystemRouteTable":                    {400, "A vSwitch goes back to the system table by being unassociated."},
		"Forbidden.VpcNotFound":                                       {400, "The specified VPC does not exist."},
		"IncorrectInstanceStatus":                                     {400, "The status of the next hop instance blocked this operation."},
		"QuotaExceeded":                                               {400, "Route entry quota exceeded in this route table."},
		"IllegalParam":                                                {400, "A specified parameter is not valid."},
		"InvalidCIDRBlock.Duplicate":                                  {400, "Specified CIDR block is already exists."},
		"InvalidCidrBlock":                                            {400, "The destination overlaps a vSwitch of the VPC."},
		"InvalidCidrBlock.Malformed":                                  {400, "The destination is not a network address."},
		"InvalidDestinationCidrBlock":                                 {400, "The destination must not be included in the black list."},
		"OperationFailed.NotSupportIPV6":                              {400, "The VPC has no IPv6 range."},
		"OperationFailed.InvalidNexthop":                              {400, "The next hop cannot take this traffic."},
		"OperationUnsupported.DestinationCidrBlockOverlapWithVSwitch": {400, "The destination overlaps the IPv6 range of a vSwitch."},
		"OperationUnsupported.Ipv6EntryOnPrimaryNetworkInterface":     {400, "A primary network interface cannot be the next hop of an IPv6 entry."},
		"OperationUnsupported.MutipleIpv6Address":                     {400, "The next hop has several IPv6 addresses."},
		"OperationDenied.Ipv6EntryOnCustomTable":                      {400, "A custom table takes no IPv6 entries."},
		"OperationFailed.InstanceDismatchCurrentVpc":                  {404, "The next hop is not in this VPC."},
		"InvalidNextHop.NotFound":                                     {400, "The specified next hop does not exist."},
		"InvalidRouteEntry.NotFound":                                  {400, "The specified route entry does not exist."},
		"InvalidRouteEntryId.NotFound":                                {400, "The specified route entry does not exist."},
		"InvalidRouteEntryName.Malformed":                             {400, "The name of the route entry is not valid."},
		"InvalidDescription.Malformed":                                {400, "The description is not valid."},
		"InvalidRouteTableId.NotFound":                                {404, "The specified route table does not exist."},
		"OperationDenied.UseGatewayRouteEntryQueryInterface":          {400, "The entries of a gateway route table are listed by another action."},
		"InvalidRouteTable.NotFound":                                  {400, "The specified route table does not exist."},
		"OperationDenied":                                             {400, "System route entries cannot be changed this way."},
		"OperationDenied.NextHopNotChanged":                           {400, "The next hop is what it was."},
		"OperationDenied.RouteTableTypeNotPermitted":                  {400, "This type of route table takes no entries."},
		"OperationFailed.FilterParamUnderWrongRouteType":              {400, "This filter is for custom entries only."},
		"MissingParam.RouteTableId":                                   {400, "RouteTableId is missing."},
		"ResourceAlreadyAssociated.RouteTable":                        {400, "The vSwitch uses this route table already."},
		"OperationDenied.AssociateGatewayRouteTable":                  {400, "A gateway route table serves no vSwitch."},
		"ResourceNotFound.VSwitch":                                    {400, "The specified vSwitch does not exist."},
		"Forbidden.VSwitchAlreadyAssociatedRouteTable":                {404, "The vSwitch uses a custom route table already."},
		"Forbidden.NotInSameVpc":                                      {404, "The route table and the vSwitch are not in the same VPC."},
		"InvalidVpcId.NotFound":                                       {404, "The specified VPC does not exist."},
		"InvalidVpc.NotFound":                                         {404, "The specified VPC does not exist."},
		"InvalidNextHopId.NotFound":                                   {404, "The specified next hop does not exist."},
		"InvalidInstanId.NotFound":                                    {404, "The specified next hop does not exist."},
		"VPC.ERROR":                                                   {500, "The VPC service had an error."},
		"Vpc.Error":                                                   {500, "The VPC service had an error."},
	}
}

// ecsRefusals are the codes of the ECS actions.
func ecsRefusals() map[string]row {
	return map[string]row{
		"InvalidParam.SecurityGroupRuleId":      {400, "The specified rule does not exist in the security group."},
		"InvalidInstanceId.NotFound":            {404, "The specified instance does not exist."},
		"InvalidEniId.NotFound":                 {404, "The specified network interface does not exist."},
		"InvalidSecurityGroupId.NotFound":       {404, "The specified security group does not exist."},
		"InvalidSecurityGroupRule.RuleNotExist": {404, "The specified rule does not exist in the security group."},
		"InvalidSourceGroupId.NotFound":         {404, "The specified source group does not exist in the VPC."},
		"InvalidDestGroupId.NotFound":           {404, "The specified destination group does not exist in the VPC."},
		"InvalidParam.Permissions":              {400, "A call takes at most 100 rules."},
		"InvalidOperation.SecurityGroupType":    {403, "An enterprise security group does not support this."},
		"InvalidOperation.MultiGroupTypes":      {403, "The security groups of one interface must be of one type."},
		"AuthorizationLimitExceed":              {403, "The limit of rules in the security group is reached."},
		"DependencyViolation.RouteEntry":        {400, "Specified instance is used by route entry."},
	}
}

type row struct {
	status  int
	message string
}

// gatewayRefusals are the codes of every product with their HTTP status, as documented;
// message texts are our own. A code that is in no table is a 400.
func gatewayRefusals() map[string]row {
	return map[string]row{
		"Throttling":                                 {400, "Request was denied due to user flow control."},
		"ServiceUnavailable":                         {503, "The request has failed due to a temporary failure of the server."},
		"InternalError":                              {500, "The request processing has failed due to some unknown error."},
		"UnsupportedHTTPMethod":                      {400, "This HTTP method is not supported."},
		"InvalidAction":                              {404, "Specified api is not found, please check your url and method."},
		"InvalidVersion":                             {400, "Specified parameter Version is not valid."},
		"InvalidRegionId":                            {404, "The specified RegionId does not exist."},
		"InvalidParameter":                           {400, "A specified parameter is not valid."},
		"MissingParameter":                           {400, "A mandatory parameter is not supplied."},
		"IncompleteSignature":                        {400, "The request signature does not conform to the standards."},
		"SignatureNonceUsed":                         {400, "Specified signature nonce was used already."},
		"InvalidTimeStamp.Format":                    {400, "Specified time stamp or date value is not well formatted."},
		"InvalidTimeStamp.Expired":                   {400, "Specified time stamp or date value is expired."},
		"InvalidAccessKeyId.Inactive":                {400, "Specified access key is disabled."},
		"InvalidAccessKeyId.NotFound":                {404, "Specified access key is not found."},
		"MissingSecurityToken":                       {400, "SecurityToken is required for this key."},
		"InvalidSecurityToken.Expired":               {400, "Specified SecurityToken is expired."},
		"InvalidSecurityToken.MismatchWithAccessKey": {400, "Specified SecurityToken does not belong to the key."},
		"Forbidden.AccessKeyDisabled":                {403, "Specified access key is disabled."},
		"InvalidIdempotenceParameter.Mismatch":       {403, "The ClientToken was used before with other parameters."},
		"Forbidden.RAM":                              {403, "User not authorized to operate on the specified resource, or this API does not support RAM."},
		"DryRunOperation":                            {400, "Request validation has been passed with DryRun flag set."},
		"IdempotentParameterMismatch":                {400, "The ClientToken was used before with other parameters."},
		"LastTokenProcessing":                        {400, "The previous request with this ClientToken is still being processed."},
	}
}
