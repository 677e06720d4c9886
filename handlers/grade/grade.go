// Package grade marks responses as the public graders of headers do, and some rules of ours. It is for tests.
package grade

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/PuerkitoBio/goquery"
)

// Response is what is marked.
type Response struct {
	Status int
	Header http.Header
	Body   string
	HTTPS  bool // the site's public address is
	Framed bool // it is a mail, which a page of ours shows in a frame
	Kept   bool // a browser may keep it, as its address changes with it
}

// Faults names each rule that the response breaks, with its source.
func Faults(r Response) (faults []string) {
	for _, rule := range rules {
		if !rule.holds(r) {
			faults = append(faults, rule.what+" ("+rule.source+")")
		}
	}
	return faults
}

type rule struct {
	source string
	what   string
	holds  func(Response) bool
}

const (
	observatory = "MDN HTTP Observatory, tests and scoring"
	headersCom  = "securityheaders.com"
	evaluator   = "Google CSP Evaluator"
	preload     = "hstspreload.org, submission requirements"
	owasp       = "OWASP HTTP Headers Cheat Sheet"
	asvs        = "OWASP ASVS 5.0"
	ours        = "ours"
)

var rules = []rule{
	{observatory, "one Content-Security-Policy, in which no directive stands twice", func(r Response) bool {
		seen := map[string]bool{}
		for d := range strings.SplitSeq(r.Header.Get("Content-Security-Policy"), ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(d), " ")
			if name == "" || seen[name] {
				return false
			}
			seen[name] = true
		}
		return len(r.Header.Values("Content-Security-Policy")) == 1
	}},
	{observatory, "the policy begins with nothing: default-src 'none'", func(r Response) bool { return slices.Equal(csp(r)["default-src"], none) }},
	{observatory, "no unsafe-inline, no unsafe-eval, but for the styles of a framed mail", func(r Response) bool {
		for name, sources := range csp(r) {
			for _, source := range sources {
				if strings.HasPrefix(source, "'unsafe-") && !(r.Framed && name == "style-src" && source == "'unsafe-inline'") {
					return false
				}
			}
		}
		return true
	}},
	{observatory, "no source over http, no scheme or host alone", func(r Response) bool {
		for _, sources := range csp(r) {
			for _, source := range sources {
				if strings.Contains(source, "http") || strings.Contains(source, "*") || strings.HasSuffix(source, ":") && !(r.Framed && source == "data:") {
					return false
				}
			}
		}
		return true
	}},
	{evaluator, "scripts are our own files or none", func(r Response) bool {
		scripts := effective(r, "script-src")
		return slices.Equal(scripts, none) || slices.Equal(scripts, self) && !r.Framed
	}},
	{evaluator, "no plug-ins: object-src 'none', given or by default", func(r Response) bool { return slices.Equal(effective(r, "object-src"), none) }},
	{evaluator, "base-uri 'none', which default-src doesn't cover", func(r Response) bool { return slices.Equal(csp(r)["base-uri"], none) }},
	{observatory, "form-action, which default-src doesn't cover", func(r Response) bool {
		return slices.Equal(csp(r)["form-action"], self) && !r.Framed || slices.Equal(csp(r)["form-action"], none)
	}},
	{observatory, "frame-ancestors 'none', but 'self' for a framed mail", func(r Response) bool {
		return slices.Equal(csp(r)["frame-ancestors"], map[bool][]string{true: self, false: none}[r.Framed])
	}},
	{ours, "a framed mail is in a sandbox that runs no script and sends no form", func(r Response) bool {
		sandbox, ok := csp(r)["sandbox"]
		return ok == r.Framed && !slices.Contains(sandbox, "allow-scripts") && !slices.Contains(sandbox, "allow-forms") && !slices.Contains(sandbox, "allow-same-origin")
	}},
	{owasp, "upgrade-insecure-requests over https only", func(r Response) bool {
		_, ok := csp(r)["upgrade-insecure-requests"]
		return ok == r.HTTPS
	}},
	{observatory, "X-Frame-Options says what frame-ancestors says", func(r Response) bool {
		return only(r, "X-Frame-Options", map[bool]string{true: "SAMEORIGIN", false: "DENY"}[r.Framed])
	}},
	{observatory, "X-Content-Type-Options: nosniff", func(r Response) bool { return only(r, "X-Content-Type-Options", "nosniff") }},
	{observatory, "a Referrer-Policy that tells other sites nothing", func(r Response) bool {
		return only(r, "Referrer-Policy", "same-origin") || only(r, "Referrer-Policy", "no-referrer")
	}},
	{observatory, "Cross-Origin-Resource-Policy: same-origin", func(r Response) bool { return only(r, "Cross-Origin-Resource-Policy", "same-origin") }},
	{owasp, "Cross-Origin-Opener-Policy: same-origin", func(r Response) bool { return only(r, "Cross-Origin-Opener-Policy", "same-origin") }},
	{owasp, "Cross-Origin-Embedder-Policy: require-corp", func(r Response) bool { return only(r, "Cross-Origin-Embedder-Policy", "require-corp") }},
	{owasp, "X-Permitted-Cross-Domain-Policies: none", func(r Response) bool { return only(r, "X-Permitted-Cross-Domain-Policies", "none") }},
	{owasp, "X-DNS-Prefetch-Control: off", func(r Response) bool { return only(r, "X-DNS-Prefetch-Control", "off") }},
	{ours, "Origin-Agent-Cluster: ?1", func(r Response) bool { return only(r, "Origin-Agent-Cluster", "?1") }},
	{observatory, "no Access-Control-Allow-Origin", func(r Response) bool { return r.Header.Get("Access-Control-Allow-Origin") == "" }},
	{headersCom, "a Permissions-Policy that gives nobody else anything, and us only passkeys and copying", func(r Response) bool {
		if len(r.Header.Values("Permissions-Policy")) != 1 {
			return false
		}
		allowed := map[string]bool{}
		for _, p := range strings.Split(r.Header.Get("Permissions-Policy"), ", ") {
			name, list, ok := strings.Cut(p, "=")
			if _, twice := allowed[name]; twice || !ok || list != "()" && list != "(self)" {
				return false
			}
			allowed[name] = list == "(self)"
		}
		for _, name := range []string{"camera", "microphone", "geolocation", "payment", "usb", "display-capture", "midi"} {
			if self, ok := allowed[name]; !ok || self {
				return false
			}
		}
		maps.DeleteFunc(allowed, func(_ string, self bool) bool { return !self })
		return maps.Equal(allowed, map[string]bool{"clipboard-write": true, "publickey-credentials-create": true, "publickey-credentials-get": true})
	}},
	{headersCom, "nothing tells which software answers", func(r Response) bool {
		return r.Header.Get("Server") == "" && r.Header.Get("X-Powered-By") == "" && r.Header.Get("Via") == ""
	}},
	{preload, "Strict-Transport-Security over https: a year at least, subdomains too", func(r Response) bool {
		value := r.Header.Get("Strict-Transport-Security")
		if !r.HTTPS {
			return value == ""
		}
		parts := strings.Split(value, "; ")
		age, err := strconv.Atoi(strings.TrimPrefix(parts[0], "max-age="))
		return err == nil && age >= 31536000 && slices.Contains(parts, "includeSubDomains") && len(r.Header.Values("Strict-Transport-Security")) == 1
	}},
	{preload, "the domain's owner is who asks for a place in the preload list, not we", func(r Response) bool {
		return !strings.Contains(r.Header.Get("Strict-Transport-Security"), "preload")
	}},
	{observatory, "every cookie is HttpOnly, SameSite=Lax and this host's; over https also Secure, and locked by its name", func(r Response) bool {
		for _, c := range (&http.Response{Header: r.Header}).Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != r.HTTPS || strings.HasPrefix(c.Name, "__Host-") != r.HTTPS {
				return false
			}
		}
		return len((&http.Response{Header: r.Header}).Cookies()) == len(r.Header.Values("Set-Cookie"))
	}},
	{asvs, "kept by no browser or proxy, but what never changes and is nobody's (14.3.2)", func(r Response) bool {
		if r.Kept {
			return only(r, "Cache-Control", "public, max-age=31536000, immutable") && r.Header.Get("Set-Cookie") == ""
		}
		return only(r, "Cache-Control", "no-store")
	}},
	{asvs, "a text says in which encoding it is (4.1.1)", func(r Response) bool {
		kind := r.Header.Get("Content-Type")
		return !strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "xml") || strings.HasSuffix(strings.ToLower(kind), "charset=utf-8")
	}},
	{observatory, "a redirection stays here", func(r Response) bool {
		for _, name := range []string{"Location", "Hx-Redirect"} {
			if to := r.Header.Get(name); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
				return false
			}
		}
		return true
	}},
	{observatory, "every script and style is a file of ours, so none needs a digest; nothing is inline", func(r Response) bool {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			return true
		}
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.Body))
		if err != nil {
			return false
		}
		fine := doc.Find("script:not([src]), base[href], object, embed").Length() == 0 && (r.Framed || doc.Find("style, [style]").Length() == 0)
		doc.Find("*").Each(func(_ int, e *goquery.Selection) {
			for _, a := range e.Nodes[0].Attr {
				value := strings.ToLower(strings.TrimSpace(a.Val))
				loads := a.Key == "src" || a.Key == "srcset" || a.Key == "href" && e.Is("link")
				switch {
				case strings.HasPrefix(a.Key, "on") || strings.HasPrefix(value, "javascript:"):
					fine = false
				case loads && !(strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//")) && !(r.Framed && strings.HasPrefix(value, "data:image/")):
					fine = false
				}
			}
		})
		return fine
	}},
}

var none, self = []string{"'none'"}, []string{"'self'"}

// csp is the response's policy: the sources of each directive.
func csp(r Response) map[string][]string {
	directives := map[string][]string{}
	for d := range strings.SplitSeq(r.Header.Get("Content-Security-Policy"), ";") {
		if words := strings.Fields(d); len(words) > 0 {
			directives[words[0]] = words[1:]
		}
	}
	return directives
}

// effective are the sources that hold for what default-src covers.
func effective(r Response, name string) []string {
	if sources, ok := csp(r)[name]; ok {
		return sources
	}
	return csp(r)["default-src"]
}

// only tells that a header is there once, with this value.
func only(r Response, name, value string) bool {
	return slices.Equal(r.Header.Values(name), []string{value})
}

// Score is what the Observatory would give a page: from 100, less for what is missing, more for what is better than asked.
func Score(r Response) (score int) {
	score = 100
	mark := func(good bool, bonus, penalty int) {
		if good {
			score += bonus
		} else {
			score -= penalty
		}
	}
	policy := csp(r)
	unsafe := strings.Contains(r.Header.Get("Content-Security-Policy"), "'unsafe-")
	mark(slices.Equal(policy["default-src"], none) && !unsafe, 10, 25)
	mark(policy["frame-ancestors"] != nil, 5, 20)
	mark(r.Header.Get("X-Content-Type-Options") == "nosniff", 0, 5)
	mark(r.Header.Get("Cross-Origin-Resource-Policy") == "same-origin", 10, 0)
	mark(slices.Contains([]string{"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}, r.Header.Get("Referrer-Policy")), 5, 0)
	mark(strings.HasPrefix(r.Header.Get("Strict-Transport-Security"), "max-age="), 0, 20)
	mark(r.Header.Get("Access-Control-Allow-Origin") == "", 0, 50)
	cookies := (&http.Response{Header: r.Header}).Cookies()
	if len(cookies) > 0 {
		mark(!slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return !c.Secure || !c.HttpOnly || c.SameSite == 0 }), 5, 40)
	}
	return score
}
