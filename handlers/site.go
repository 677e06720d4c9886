// Package handlers is the HTTP edge: it turns requests into the practice's verbs and their outcome into pages.
package handlers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/static"
	"anteroom/views"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/template/html/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// Config is what a site is made of.
type Config struct {
	Practice    *practice.Practice
	ProxyHeader string         // in which the proxy in front names who asks; empty: there is none
	Proxies     []netip.Prefix // those of our proxies, one behind the other: what they add to that header is believed
	Neighbors   []netip.Prefix // where whoever connects is believed too, and nobody whom they name
	Public      *url.URL       // the site's public address
	Log         *slog.Logger
	Mailbox     *mailbox.Box // where the demo's mail arrives; nil outside the demo
	Invented    []SignIn     // how the demo's people sign in; nil outside the demo
}

// Site serves Anteroom's pages.
type Site struct {
	Config
	app      *fiber.App
	cookie   cookies
	engine   *html.Engine
	arrivals arrivals
}

// How large a request's body may be, in bytes. Bodies are held in memory, so strangers get little of it.
const (
	maxStranger = 32 << 10
	maxSignedIn = maxAnswers + 1<<20         // a form filled in, and room to say that it is too long
	maxBody     = practice.MaxImport + 1<<20 // the largest file to import, and what a form puts round it
)

// maxConnections bounds what slow clients can hold: with a stranger's largest body each, some 300 MB.
const maxConnections = 4096

// importTime is how long a file to import may take to arrive.
const importTime = 5 * time.Minute

// limit says, before a body is read, how large it may be.
func (s *Site) limit(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	now := time.Now()
	tooMany := fasthttp.RequestConfig{MaxRequestBodySize: 1} // what is larger isn't waited for
	s.arrivals.begin(h, now)
	if s.ProxyHeader != "" {
		if network := s.named(h, ""); network != "" && s.arrivals.count(h, network, maxUnderWay, now) {
			return tooMany
		}
	}
	if n := h.ContentLength(); n != chunked && n <= maxStranger {
		return fasthttp.RequestConfig{MaxRequestBodySize: maxStranger}
	}
	who, err := s.Practice.Authenticate(context.Background(), string(h.Cookie(s.cookie.prefix+sessionCookie)), false)
	if err != nil || who.Nobody() {
		return fasthttp.RequestConfig{MaxRequestBodySize: maxStranger}
	}
	if _, ok := who.Administrator(); ok && bytes.HasPrefix(h.RequestURI(), []byte(importPath)) {
		if s.arrivals.count(h, "imports", maxImports, now) {
			return tooMany
		}
		return fasthttp.RequestConfig{MaxRequestBodySize: maxBody, ReadTimeout: importTime}
	}
	if s.arrivals.count(h, "large of "+who.ID(), maxLargeOfOne, now) || s.arrivals.count(h, "large", maxLarge, now) {
		return tooMany
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: maxSignedIn}
}

// chunked is the length that fasthttp gives a body of which nobody said how long it is.
const chunked = -1

// New returns a site with every route of its table mounted, or says which template or route is wrong.
func New(config Config) (*Site, error) {
	s := &Site{Config: config, cookie: newCookies(config.Public),
		arrivals: arrivals{guests: crowd{of: map[string]int{}}, by: map[*fasthttp.RequestHeader]*arrival{}}}
	s.engine = html.NewFileSystem(http.FS(views.Files), ".html")
	s.engine.AddFuncMap(s.templateFuncs())
	if err := s.engine.Load(); err != nil {
		return nil, err
	}
	s.app = fiber.New(fiber.Config{
		Immutable:             true, // else what a request said turns into what another says
		BodyLimit:             maxBody,
		Concurrency:           maxConnections + 64, // the door refuses before the server does
		ReadBufferSize:        16 << 10,
		ReadTimeout:           30 * time.Second,
		WriteTimeout:          60 * time.Second,
		IdleTimeout:           75 * time.Second,
		DisableStartupMessage: true,
		ErrorHandler:          s.problem,
		ServerHeader:          "",
	})
	server := s.app.Server()
	server.HeaderReceived, server.FormValueFunc = s.limit, formValue
	handle, fail := server.Handler, server.ErrorHandler
	server.Handler = func(c *fasthttp.RequestCtx) { // Fiber answers an unknown method before any middleware
		s.harden(&c.Response.Header)
		if s.arrivals.tooMany(&c.Request.Header) {
			c.SetUserValue(crowdedKey, true)
		}
		defer s.arrivals.went(&c.Request.Header)
		handle(c)
	}
	server.ErrorHandler = func(c *fasthttp.RequestCtx, err error) {
		if s.arrivals.went(&c.Request.Header) {
			c.SetUserValue(crowdedKey, true)
		}
		fail(c, err)
	}
	s.app.Use(s.observe, refuseTwoLengths, refuseCompression, refuseManyFields, s.refuseForeignWrites, s.recognise, s.awaitSetUp, s.takeProof)
	for _, r := range s.routes() {
		if r.audience.handler == nil {
			return nil, fmt.Errorf("route %s %s has no audience", r.method, r.path)
		}
		s.app.Add(r.method, r.path, r.audience.handler)
		if r.method == fiber.MethodGet {
			s.app.Add(fiber.MethodHead, r.path, r.audience.handler)
		}
	}
	s.app.Use(func(*fiber.Ctx) error { return practice.ErrNotFound })
	return s, nil
}

// App is the site as a Fiber app, to listen with and to test.
func (s *Site) App() *fiber.App { return s.app }

// observe logs each request in one line that names nobody, and gives it a reference that the error page shows too.
func (s *Site) observe(c *fiber.Ctx) (err error) {
	start := time.Now()
	reference := strings.ToLower(rand.Text()[:8])
	c.Locals(referenceKey, reference)
	defer func() {
		if fault := recover(); fault != nil {
			s.Log.Error("panic", "reference", reference, "fault", fmt.Sprintf("%T", fault), "stack", string(debug.Stack()))
			err = nil
			if fault := s.problem(c, errPanic); fault != nil {
				c.Status(fiber.StatusInternalServerError)
			}
		}
		s.Log.Info("request", "route", c.Route().Path, "method", c.Method(), "status", c.Response().StatusCode(),
			"actor", actor(c).ID(), "ms", time.Since(start).Milliseconds(), "reference", reference)
	}()
	if c.Locals(crowdedKey) != nil {
		return s.problem(c, errCrowded)
	}
	if err := c.Next(); err != nil {
		return s.problem(c, s.noteRefusal(c, err))
	}
	return nil
}

// noteRefusal has the audit log say that somebody who is signed in was kept from a page that there is, and returns what to answer:
// when it can't be written, that, and not whether the page is theirs.
func (s *Site) noteRefusal(c *fiber.Ctx, err error) error {
	who, route := actor(c), c.Route().Path
	if who.Nobody() || route == "/" || !errors.Is(err, practice.ErrNotFound) && !errors.Is(err, practice.ErrNotAllowed) {
		return err
	}
	asked := c.Method() + " " + route
	if id := c.Params("id"); uuid.Validate(id) == nil {
		asked += " " + id
	}
	if fault := s.Practice.NoteRefusal(c.UserContext(), who, asked); fault != nil {
		return fault
	}
	return err
}

var errPanic = errors.New("panic")

// policy is what a page of ours may load and do: our own files, nothing inline, nothing of anybody else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// framedPolicy is the same of a mail's HTML, which is shown in a frame of a page of ours, and what else holds for it.
const framedPolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "

// permissions names what a page may ask a browser for: passkeys, and to copy. All else that a browser might give is refused.
const permissions = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), " +
	"encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), " +
	"microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-create=(self), publickey-credentials-get=(self), " +
	"screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// hardened are the headers that every response carries; over https there are more.
var hardened = map[string]string{
	fiber.HeaderXFrameOptions:           "DENY",
	fiber.HeaderXContentTypeOptions:     "nosniff",
	fiber.HeaderReferrerPolicy:          "same-origin",
	"Cross-Origin-Opener-Policy":        "same-origin",
	"Cross-Origin-Embedder-Policy":      "require-corp",
	"Cross-Origin-Resource-Policy":      "same-origin",
	"Origin-Agent-Cluster":              "?1",
	"X-Permitted-Cross-Domain-Policies": "none",
	"X-DNS-Prefetch-Control":            "off",
	"Permissions-Policy":                permissions,
	fiber.HeaderCacheControl:            "no-store",
	fiber.HeaderVary:                    "HX-Request",
}

// transport is how long a browser keeps to https, here and below. It asks for no place in browsers' own lists: that is for whoever owns
// the domain to decide, and hard to take back.
const transport = "max-age=63072000; includeSubDomains"

// harden sets the headers that every response carries.
func (s *Site) harden(h *fasthttp.ResponseHeader) {
	for name, value := range hardened {
		h.Set(name, value)
	}
	s.setPolicy(h, policy)
	if s.Public.Scheme == "https" {
		h.Set(fiber.HeaderStrictTransportSecurity, transport)
	}
}

func (s *Site) setPolicy(h *fasthttp.ResponseHeader, policy string) {
	if s.Public.Scheme == "https" {
		policy += "; upgrade-insecure-requests"
	}
	h.Set(fiber.HeaderContentSecurityPolicy, policy)
}

// framed lets a page of ours show this answer in a frame; sandbox says what it may do there.
func (s *Site) framed(c *fiber.Ctx, sandbox string) {
	s.setPolicy(&c.Response().Header, framedPolicy+sandbox)
	c.Set(fiber.HeaderXFrameOptions, "SAMEORIGIN")
}

// maxFields is how many fields a form may have: the largest list to tick has a few thousand.
const maxFields = 20_000

// refuseManyFields refuses a form of so many fields that looking for each takes long.
func refuseManyFields(c *fiber.Ctx) error {
	if bytes.HasPrefix(c.Request().Header.ContentType(), []byte(fiber.MIMEApplicationForm)) && bytes.Count(c.Request().Body(), []byte("&")) >= maxFields {
		return fiber.NewError(fiber.StatusRequestEntityTooLarge, "This form has more fields than any here, so nothing was done.")
	}
	return c.Next()
}

// refuseCompression refuses compressed bodies, which inflate without limit.
func refuseCompression(c *fiber.Ctx) error {
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "Send the request without compression.")
	}
	return c.Next()
}

// refuseForeignWrites stops a write that another site's page started.
func (s *Site) refuseForeignWrites(c *fiber.Ctx) error {
	request := &http.Request{Method: c.Method(), Host: string(c.Request().Host()), URL: &url.URL{}, Header: http.Header{}}
	for _, name := range []string{"Sec-Fetch-Site", fiber.HeaderOrigin} {
		if value := c.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	if err := http.NewCrossOriginProtection().Check(request); err != nil {
		return fiber.NewError(fiber.StatusForbidden, "This request came from another site, so nothing was done. Open the page here and try again.")
	}
	return c.Next()
}

type localsKey int

const (
	referenceKey localsKey = iota
	actorKey
	crowdedKey // the request is one too many of its network
)

// recognise finds out who makes the request.
func (s *Site) recognise(c *fiber.Ctx) error {
	if strings.HasPrefix(c.Path(), static.Prefix) || c.Path() == "/healthz" {
		return c.Next()
	}
	who, err := s.Practice.Authenticate(c.UserContext(), s.cookie.get(c, sessionCookie), !polls(c))
	if err != nil {
		return err
	}
	c.Locals(actorKey, who)
	return c.Next()
}

func actor(c *fiber.Ctx) practice.Actor {
	who, _ := c.Locals(actorKey).(practice.Actor)
	return who
}

// problemPage is the one page for what went wrong.
type problemPage struct {
	Shell
	Status    int
	Heading   string
	Sentence  string
	Reference string
}

// problem turns an error into its status and one calm sentence.
func (s *Site) problem(c *fiber.Ctx, err error) error {
	s.harden(&c.Response().Header) // an answer that was begun, or never came to a handler, may lack them
	if errors.Is(err, practice.ErrConfirm) {
		if err = s.askConfirm(c, nil); err == nil {
			return nil
		}
	}
	reference, seen := c.Locals(referenceKey).(string)
	page := problemPage{Status: fiber.StatusInternalServerError, Heading: "Something went wrong",
		Sentence: "Nothing was changed. Try again; if it happens again, tell whoever looks after this server.", Reference: reference}
	var fiberError *fiber.Error
	if c.Locals(crowdedKey) != nil {
		err = errCrowded
	}
	switch {
	case err == errCrowded:
		page.Status, page.Heading, page.Sentence = errCrowded.Code, "Too many requests", errCrowded.Message
		c.Set(fiber.HeaderRetryAfter, "5")
	case errors.Is(err, practice.ErrCrowded):
		page.Status, page.Heading = fiber.StatusServiceUnavailable, "The server is busy"
		page.Sentence = "Many people are signing in at this moment, so nothing was done. What you typed is still in your browser: go back and try again in a moment."
		c.Set(fiber.HeaderRetryAfter, "5")
	case errors.Is(err, practice.ErrNotFound), errors.As(err, &fiberError) && fiberError.Code == fiber.StatusNotFound,
		fiberError != nil && fiberError.Code == fiber.StatusMethodNotAllowed:
		page.Status, page.Heading, page.Reference = fiber.StatusNotFound, "Page not found", ""
		page.Sentence = "It may have been moved, or it isn't yours to see."
	case errors.Is(err, practice.ErrNotAllowed):
		page.Status, page.Heading, page.Reference = fiber.StatusForbidden, "Not allowed", ""
		page.Sentence = "Your account can't do this. An administrator of the practice can change that."
	case errors.Is(err, db.ErrClosed):
		page.Status, page.Heading, page.Reference = fiber.StatusConflict, "This form is closed", ""
		page.Sentence = "It was completed or taken back, so its answers can't change."
	case errors.Is(err, db.ErrFull):
		page.Status, page.Heading = fiber.StatusServiceUnavailable, "The server can't save right now"
		page.Sentence = "Its disk is full or failing, so nothing was changed. What you typed is still in your browser: go back and try again later."
	case fiberError != nil && !seen: // the server's own words would quote the request
		page.Status, page.Heading, page.Sentence = fiberError.Code, http.StatusText(fiberError.Code), "The request couldn't be read, so nothing was done."
		if page.Status == fiber.StatusRequestEntityTooLarge {
			page.Sentence = "This is larger than what can be sent here, so nothing was done. If you were away for a while, sign in and try again."
		}
	case fiberError != nil:
		page.Status, page.Heading, page.Sentence = fiberError.Code, http.StatusText(fiberError.Code), fiberError.Message
	}
	switch {
	case !seen: // nor is there a route yet, only the path
		s.Log.Info("refused unread", "status", page.Status)
	case page.Status >= 500 && !errors.Is(err, practice.ErrCrowded):
		s.Log.Error("failed", "reference", reference, "route", c.Route().Path, "error", err.Error())
	}
	page.Shell = s.shell(c, page.Heading, "")
	c.Status(page.Status)
	if c.Get("HX-Request") != "" {
		// What asked was a part of a page: the sentence goes where that page says its problems.
		c.Set("HX-Retarget", "#problem")
		c.Set("HX-Reswap", "innerHTML")
		return s.show(c, "shell/_problem", page)
	}
	return s.show(c, "shell/problem", page)
}
