package call

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sealane/sealane/api"
	"github.com/sealane/sealane/cloud/alisim/ram"
	"github.com/sealane/sealane/cloud/alisim/world"
	"github.com/sealane/sealane/cloud/alisim/world/seed"
)

// SetPolicy changes what an access key or a role may do, named by its id or name, to a
// policy document in JSON; an empty one permits everything. Errors are of kinds
// api.ErrNotFound and api.ErrInvalid.
func (k *Keys) SetPolicy(name string, document seed.Document) error {
	p, err := document.Permissions()
	if err != nil {
		return fmt.Errorf("set policy of %s: %w", name, err)
	}
	return k.live.Change(func(w *world.World) error {
		key, known := k.keys[name]
		if !known && !k.hasRole(w, name) {
			return fmt.Errorf("set policy: no key or role %q: %w", name, api.ErrNotFound)
		}
		if known {
			key.policy = p
			if p != nil {
				key.user = cmp.Or(key.user, name)
			}
			k.keys[name] = key
		} else {
			k.roles[name] = p
		}
		return nil
	})
}

func (k *Keys) hasRole(w *world.World, name string) bool {
	if _, ok := k.roles[name]; ok {
		return true
	}
	return world.Find(w.Instances, func(i *seed.Instance) bool { return i.Role == name }) != nil
}

// principalOf finds who holds the key of a call.
func (k *Keys) principalOf(c *Call, account string) principal {
	if session, ok := k.sessions[c.key]; ok {
		return principal{"AssumedRoleUser", session.role + ":" + session.instance, k.roles[session.role]}
	}
	if key := k.keys[c.key]; key.user != "" {
		return principal{"SubUser", key.user, key.policy}
	}
	return principal{kind: "Account", name: account}
}

// Permit says whether the caller may do what it asks for. The caller holds the world.
func (k *Keys) Permit(w *world.World, c *Call) error {
	c.who = k.principalOf(c, w.Account)
	if c.who.policy == nil || c.Version == LocationVersion {
		return nil
	}
	allowed, why := c.who.policy.Permits(ram.Call{
		Product: strings.ToLower(productName(c.Version)), Action: c.Action, Region: w.Region, Account: w.Account,
		Params: c.Params, TableOf: w.TableOf,
	})
	if allowed {
		return nil
	}
	r := world.NewRefusal("Forbidden.RAM")
	r.Denied = c.Action
	r.Explicit = strings.Contains(why, "denies")
	return r
}
