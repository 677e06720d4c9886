package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// OAuth is how to get the access tokens with which XOAUTH2 signs in: by a
// refresh token, or without one by the client's own credentials (RFC 6749).
type OAuth struct {
	TokenURL               string
	ClientID, ClientSecret string
	RefreshToken           string // empty: client credentials
	Scope                  string
}

// tenant stands in a preset's address where the practice's own directory must.
const tenant = "TENANT"

func (o *OAuth) check(faults Faults) {
	o.TokenURL = strings.TrimSpace(o.TokenURL)
	u, err := url.Parse(o.TokenURL)
	switch {
	case o.TokenURL == "":
		faults["token_url"] = "The address that gives out tokens is missing: it looks like https://login.example.com/token."
	case strings.Contains(o.TokenURL, tenant):
		faults["token_url"] = "In the address that gives out tokens, write your directory (tenant) ID in the place of " + tenant + "."
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		faults["token_url"] = "The address that gives out tokens must begin with https:// and name a server."
	}
	if o.ClientID == "" {
		faults["client_id"] = "The client ID is missing: the provider shows it where the application is registered."
	}
	if o.ClientSecret == "" && o.RefreshToken == "" {
		faults["client_secret"] = "Give the client secret, or a refresh token."
	}
}

const (
	tokenPatience = 20 * time.Second // for the answer to a request for a token
	tokenBytes    = 64 << 10         // of that answer
	tokenMargin   = time.Minute      // a token is renewed so long before it expires
	tokenLife     = 5 * time.Minute  // of a token that comes without one
)

// tokens gives out one relay's access tokens. All its lines share it: they wait
// for one request, and use its answer until shortly before it expires.
type tokens struct {
	oauth  OAuth
	client *http.Client
	turn   chan struct{} // held while a token is fetched or looked up

	token   string
	expires time.Time
	refresh string // the newest: some providers replace it with each answer
}

func newTokens(o OAuth) *tokens {
	return &tokens{oauth: o, refresh: o.RefreshToken, turn: make(chan struct{}, 1), client: &http.Client{
		Timeout: tokenPatience,
		// A secret goes to the address that was configured, and to no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get returns an access token, and whether it was in use before. Its errors are a *Trouble.
func (t *tokens) get(ctx context.Context) (token string, cached bool, err error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", false, noToken(ctx.Err())
	}
	if t.token != "" && time.Now().Before(t.expires) {
		return t.token, true, nil
	}
	token, life, err := t.fetch(ctx)
	if err != nil {
		return "", false, err
	}
	t.token, t.expires = token, time.Now().Add(life)
	return token, false, nil
}

// spoiled forgets a token that the relay refused, unless another line has got a new one since.
func (t *tokens) spoiled(token string) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	if t.token == token {
		t.token = ""
	}
}

// fetch asks the token endpoint once.
func (t *tokens) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	form := url.Values{"client_id": {t.oauth.ClientID}, "grant_type": {"client_credentials"}}
	if t.refresh != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", t.refresh)
	}
	if t.oauth.ClientSecret != "" {
		form.Set("client_secret", t.oauth.ClientSecret)
	}
	if t.oauth.Scope != "" {
		form.Set("scope", t.oauth.Scope)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.oauth.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, noToken(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return "", 0, noToken(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, tokenBytes))
	if err != nil {
		return "", 0, noToken(err)
	}
	var answer struct {
		AccessToken  string      `json:"access_token"`
		ExpiresIn    json.Number `json:"expires_in"` // some write it as a string
		RefreshToken string      `json:"refresh_token"`
		Error        string      `json:"error"`
	}
	unreadable := json.Unmarshal(body, &answer)
	switch {
	case response.StatusCode/100 == 2 && unreadable == nil && isToken(answer.AccessToken):
		if t.refresh != "" && answer.RefreshToken != "" {
			t.refresh = answer.RefreshToken
		}
		return answer.AccessToken, lifeOf(answer.ExpiresIn), nil
	case response.StatusCode/100 == 5, response.StatusCode == http.StatusTooManyRequests, answer.Error == "temporarily_unavailable", answer.Error == "server_error":
		return "", 0, noToken(fmt.Errorf("the answer was %d", response.StatusCode))
	}
	return "", 0, &Trouble{Alarm: true, Reason: refusedToken(answer.Error, response.StatusCode)}
}

// refusedToken says what a person must do when no token is given out. The provider's own description stays away: it may
// name accounts and quote what was sent.
func refusedToken(code string, status int) string {
	switch code {
	case "invalid_grant":
		return "The mail provider no longer lets us sign in for this mailbox: its permission has ended or was taken back. Someone must sign in there again and enter the new refresh token. (invalid_grant)"
	case "invalid_client":
		return "The mail provider doesn't know our client ID, or its secret is wrong or has expired. Check both, or make a new secret where the application is registered. (invalid_client)"
	case "unauthorized_client", "access_denied":
		return "The mail provider doesn't let our application sign in for this mailbox. An administrator there must allow it. (" + code + ")"
	case "invalid_scope":
		return "The mail provider doesn't know the scope that is set for signing in. Check it. (invalid_scope)"
	case "unsupported_grant_type", "invalid_request":
		return "The mail provider doesn't understand how we ask to sign in. Check the address that gives out tokens, and whether a refresh token is needed. (" + code + ")"
	}
	return fmt.Sprintf("The mail provider gives us no access token: the address that gives them out answered %d. Check that address.", status)
}

// noToken is trouble that ends by itself. The cause is put without the address that was asked, which may hold more than a name.
func noToken(err error) *Trouble {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return &Trouble{Reason: tidy("The address that gives out access tokens for the mail server doesn't answer: " + reason(err))}
}

func lifeOf(seconds json.Number) time.Duration {
	n, err := seconds.Int64()
	if err != nil || n <= 0 {
		return tokenLife
	}
	life := time.Duration(min(n, 24*60*60)) * time.Second
	return life - min(tokenMargin, life/2)
}

// isToken reports whether s can stand in XOAUTH2's response (RFC 6750, 2.1; its separator is ^A).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// spoiledToken is the trouble that a relay refused a token which had worked before.
type spoiledToken struct{ *Trouble }

const xoauth2Name = "XOAUTH2"

// xoauth2 signs in with an access token, as Google and Microsoft have it.
type xoauth2 struct{ username, token string }

func (x xoauth2) Start() (mechanism string, response []byte, err error) {
	return xoauth2Name, []byte("user=" + x.username + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next answers what is wrong with the token, in JSON, with an empty line: only then does the relay refuse it.
func (x xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }
