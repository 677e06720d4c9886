package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// tokenServer gives out tokens t1, t2, …, or what answer says.
type tokenServer struct {
	*httptest.Server
	answer func(w http.ResponseWriter, form url.Values) // nil: a token for an hour
	asked  atomic.Int32
}

func newTokenServer(t *testing.T) *tokenServer {
	s := &tokenServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.asked.Add(1)
		if r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || len(r.URL.RawQuery) > 0 {
			t.Errorf("asked by %s %s %s", r.Method, r.URL, r.Header)
		}
		if s.answer != nil {
			s.answer(w, r.PostForm)
			return
		}
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"t%d"}`, n)
	}))
	t.Cleanup(s.Close)
	return s
}

// bearer is a relay that lets in who has a token it likes, and takes every letter then.
type bearer struct {
	addr    string
	likes   func(token string) bool
	answers atomic.Int32 // to its challenges
	letters atomic.Int32
}

func newBearer(t *testing.T, likes func(token string) bool) *bearer {
	b := &bearer{likes: likes}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &bearerSession{b: b}, nil }))
	server.AllowInsecureAuth, server.ErrorLog = true, log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = listener.Addr().String()
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); listener.Close(); <-done })
	return b
}

type bearerSession struct {
	b  *bearer
	in bool
}

func (s *bearerSession) AuthMechanisms() []string { return []string{"XOAUTH2", "PLAIN"} }
func (s *bearerSession) Auth(mechanism string) (sasl.Server, error) {
	if mechanism != "XOAUTH2" {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	return &bearerExchange{s: s}, nil
}
func (s *bearerSession) Reset()        {}
func (s *bearerSession) Logout() error { return nil }
func (s *bearerSession) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 57}, Message: "Client not authenticated"}
	}
	return nil
}
func (s *bearerSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *bearerSession) Data(r io.Reader) error {
	s.b.letters.Add(1)
	_, err := io.Copy(io.Discard, r)
	return err
}

// bearerExchange refuses as Google does: it says why in JSON, and only after another line does it say no.
type bearerExchange struct {
	s          *bearerSession
	challenged bool
}

func (e *bearerExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if e.challenged {
		if len(response) == 0 {
			e.s.b.answers.Add(1)
		}
		return nil, false, &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Username and Password not accepted"}
	}
	user, rest, _ := strings.Cut(string(response), "\x01")
	token, end, _ := strings.Cut(rest, "\x01")
	token, found := strings.CutPrefix(token, "auth=Bearer ")
	if user == "user=hello@harbor.example" && found && end == "\x01" && e.s.b.likes(token) {
		e.s.in = true
		return nil, true, nil
	}
	e.challenged = true
	return []byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`), false, nil
}

func oauthRelay(t *testing.T, addr, tokenURL string) Relay {
	t.Helper()
	return relayTo(t, "smtp://hello%40harbor.example@"+addr+"?tls=none&client_id=anteroom&client_secret=hunter2hunter2&refresh_token=refresh&scope=mail+offline&token_url="+url.QueryEscape(tokenURL))
}

func TestSignInWithATokenThatAllLinesShare(t *testing.T) {
	tokens := newTokenServer(t)
	b := newBearer(t, func(token string) bool { return token == "t1" })
	r := oauthRelay(t, b.addr, tokens.URL)
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			for range 2 {
				l := r.Line()
				if got := sendSmall(t, l); got.Outcome != Accepted {
					t.Errorf("%+v", got)
				}
				l.Close()
			}
		})
	}
	sending.Wait()
	if b.letters.Load() != 16 || tokens.asked.Load() != 1 {
		t.Errorf("%d letters, %d requests for a token", b.letters.Load(), tokens.asked.Load())
	}
}

func TestTokenRequest(t *testing.T) {
	for _, c := range []struct {
		name  string
		oauth OAuth
		want  string
	}{
		{"by a refresh token", OAuth{ClientID: "anteroom", ClientSecret: "s&c", RefreshToken: "r=t", Scope: "https://x/.default"},
			"client_id=anteroom&client_secret=s%26c&grant_type=refresh_token&refresh_token=r%3Dt&scope=https%3A%2F%2Fx%2F.default"},
		{"of an application without a secret", OAuth{ClientID: "anteroom", RefreshToken: "rt"}, "client_id=anteroom&grant_type=refresh_token&refresh_token=rt"},
		{"by the client's own credentials", OAuth{ClientID: "anteroom", ClientSecret: "sc", Scope: "x"}, "client_id=anteroom&client_secret=sc&grant_type=client_credentials&scope=x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTokenServer(t)
			var got string
			s.answer = func(w http.ResponseWriter, form url.Values) {
				got = form.Encode()
				io.WriteString(w, `{"access_token":"abc","expires_in":"120"}`)
			}
			c.oauth.TokenURL = s.URL
			token, life, err := newTokens(c.oauth).fetch(t.Context())
			if got != c.want || token != "abc" || life != time.Minute || err != nil {
				t.Errorf("asked %s\ngot %q for %v, %v", got, token, life, err)
			}
		})
	}
}

func TestNewerRefreshTokenIsUsedNext(t *testing.T) {
	s := newTokenServer(t)
	var used []string
	s.answer = func(w http.ResponseWriter, form url.Values) {
		used = append(used, form.Get("refresh_token"))
		fmt.Fprintf(w, `{"access_token":"abc","refresh_token":"r%d"}`, len(used))
	}
	tokens := newTokens(OAuth{TokenURL: s.URL, ClientID: "x", RefreshToken: "r0"})
	for range 3 {
		if _, _, err := tokens.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(used, " "); got != "r0 r1 r2" {
		t.Errorf("used %s", got)
	}
}

func TestTokensLive(t *testing.T) {
	for seconds, want := range map[string]time.Duration{"3600": 59 * time.Minute, "90": 45 * time.Second, "": tokenLife, "0": tokenLife, "-5": tokenLife, "99999999999": 24*time.Hour - time.Minute} {
		if got := lifeOf(json.Number(seconds)); got != want {
			t.Errorf("%q seconds: %v", seconds, got)
		}
	}
}

func TestTokenTheRelayNoLongerLikesIsFetchedAnewOnce(t *testing.T) {
	tokens := newTokenServer(t)
	var liked atomic.Value
	liked.Store("t1")
	b := newBearer(t, func(token string) bool { return token == liked.Load() })
	r := oauthRelay(t, b.addr, tokens.URL)
	send := func() Result { l := r.Line(); defer l.Close(); return sendSmall(t, l) }
	if got := send(); got.Outcome != Accepted {
		t.Fatalf("%+v", got)
	}
	liked.Store("t2")
	if got := send(); got.Outcome != Accepted || tokens.asked.Load() != 2 || b.answers.Load() != 1 {
		t.Errorf("%+v, %d requests, %d answers to a challenge", got, tokens.asked.Load(), b.answers.Load())
	}
	liked.Store("none of them")
	got := send()
	if got.Outcome != NotSent || got.Trouble == nil || !got.Trouble.Alarm || !strings.Contains(got.Trouble.Reason, "535 5.7.8") || tokens.asked.Load() != 3 {
		t.Errorf("%+v, %d requests", got.Trouble, tokens.asked.Load())
	}
	if got = send(); got.Trouble == nil || tokens.asked.Load() != 4 {
		t.Errorf("a refused token was kept: %+v, %d requests", got.Trouble, tokens.asked.Load())
	}
}

func TestTokenTrouble(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	answer := func(status int, body string) func(http.ResponseWriter, url.Values) {
		return func(w http.ResponseWriter, _ url.Values) { w.WriteHeader(status); io.WriteString(w, body) }
	}
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, url.Values)
		alarm  bool
		reason string
	}{
		{"the permission ended", answer(400, `{"error":"invalid_grant","error_description":"hunter2hunter2 of hello@harbor.example"}`), true, "(invalid_grant)"},
		{"a wrong secret", answer(401, `{"error":"invalid_client"}`), true, "(invalid_client)"},
		{"no right", answer(400, `{"error":"unauthorized_client"}`), true, "(unauthorized_client)"},
		{"a wrong scope", answer(400, `{"error":"invalid_scope"}`), true, "(invalid_scope)"},
		{"a wrong address", answer(404, `<html>`), true, "answered 404"},
		{"somewhere else", func(w http.ResponseWriter, _ url.Values) {
			w.Header().Set("Location", "https://login.example.com/")
			w.WriteHeader(307)
		}, true, "answered 307"},
		{"a page", answer(200, `<html>`), true, "answered 200"},
		{"a token that can't be one", answer(200, `{"access_token":"a\u0001b"}`), true, "answered 200"},
		{"it is out of order", answer(503, ``), false, "503"},
		{"it wants fewer requests", answer(429, `{"error":"slow_down"}`), false, "429"},
		{"it says later", answer(400, `{"error":"temporarily_unavailable"}`), false, "400"},
		{"nobody listens", nil, false, "doesn't answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTokenServer(t)
			s.answer = c.answer
			address := s.URL
			if c.answer == nil {
				address = closed.URL
			}
			b := newBearer(t, func(string) bool { return true })
			r := oauthRelay(t, b.addr, address)
			got := sendSmall(t, lineTo(t, r))
			if got.Outcome != NotSent || got.Trouble == nil || got.Trouble.Alarm != c.alarm || !strings.Contains(got.Trouble.Reason, c.reason) || b.letters.Load() > 0 {
				t.Fatalf("%+v %+v", got, got.Trouble)
			}
			for _, secret := range []string{"hunter2", "refresh_token", "@", "127.0.0.1"} {
				if strings.Contains(got.Trouble.Reason, secret) {
					t.Errorf("it says too much: %s", got.Trouble.Reason)
				}
			}
		})
	}
}

func TestTokenEndpointThatHangs(t *testing.T) {
	hold := make(chan struct{})
	tokens := newTokenServer(t)
	tokens.answer = func(w http.ResponseWriter, _ url.Values) {
		io.WriteString(w, `{"access_`)
		w.(http.Flusher).Flush()
		<-hold
	}
	t.Cleanup(func() { close(hold) })
	b := newBearer(t, func(string) bool { return true })
	r := oauthRelay(t, b.addr, tokens.URL)
	r.tokens.client.Timeout = 50 * time.Millisecond
	if got := sendSmall(t, lineTo(t, r)); got.Outcome != NotSent || got.Trouble == nil || got.Trouble.Alarm {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.tokens.turn <- struct{}{} // another line asks, and waits
	if _, _, err := r.tokens.get(ctx); err == nil {
		t.Error("it came by a token")
	}
	<-r.tokens.turn
}

func TestDialogueHidesTokens(t *testing.T) {
	tokens := newTokenServer(t)
	tokens.answer = func(w http.ResponseWriter, _ url.Values) {
		io.WriteString(w, `{"access_token":"secret-token","expires_in":3600}`)
	}
	b := newBearer(t, func(string) bool { return false })
	got, result := trySmall(t, oauthRelay(t, b.addr, tokens.URL))
	all := strings.Join(got, "\n")
	for _, want := range []string{"us: (a new access token came from the mail provider)\nus: AUTH XOAUTH2 (hidden)\nrelay: 334 ", "\nus: (an empty line)\nrelay: 535 5.7.8 Username"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "secret-token") || strings.Contains(all, "refresh") || result.Trouble == nil {
		t.Errorf("%+v\n%s", result, all)
	}
}
