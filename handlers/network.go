package handlers

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// network is where a request comes from, as guesses are counted: whoever is connected or, where that is a proxy of ours, whom it
// names. Each proxy adds the address it saw at the end of the header, so the last that isn't a listed proxy's own counts; what stands
// before it, anybody can have written: also somebody in the office, whose address is a private one like the proxy's.
func (s *Site) network(c *fiber.Ctx) string {
	peer := c.IP()
	if s.ProxyHeader == "" || !s.believed(peer) {
		return networkOf(peer)
	}
	return s.named(&c.Request().Header, peer)
}

// named is the network that a header names, or that of peer, the proxy which brought it.
func (s *Site) named(h *fasthttp.RequestHeader, peer string) string {
	seen := peer
	for _, line := range slices.Backward(h.PeekAll(s.ProxyHeader)) {
		for _, named := range slices.Backward(strings.Split(string(line), ",")) {
			address, ok := withoutPort(strings.TrimSpace(named))
			if !ok {
				return networkOf(seen) // whoever wrote this, it was no proxy
			}
			if seen = address; !within(s.Proxies, address) {
				return networkOf(address)
			}
		}
	}
	return networkOf(seen)
}

// believed tells that whoever connects from an address is a proxy of ours, and says who asks.
func (s *Site) believed(peer string) bool {
	return within(s.Proxies, peer) || within(s.Neighbors, peer)
}

func within(networks []netip.Prefix, address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// withoutPort is the address in what a proxy wrote, which may have a port.
func withoutPort(named string) (address string, ok bool) {
	if both, err := netip.ParseAddrPort(named); err == nil {
		return both.Addr().String(), true
	}
	ip, err := netip.ParseAddr(strings.Trim(named, "[]"))
	return ip.String(), err == nil
}

// networkOf is the IPv4 address, or the /64, that one household or office has.
func networkOf(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if address = address.Unmap(); address.Is4() {
		return address.String()
	}
	prefix, _ := address.WithZone("").Prefix(64)
	return prefix.String()
}
