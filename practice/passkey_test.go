package practice_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// passkeyStage is the cast, whose browsers are all at one place.
type passkeyStage struct {
	*cast.Cast
	t  *testing.T
	at practice.Browser
}

func passkeys(t *testing.T) *passkeyStage {
	return &passkeyStage{cast.New(t), t, practice.Browser{Network: "192.0.2.1", Words: "Firefox on Linux"}}
}

// who is somebody of the cast, with the session that they have now.
func (s *passkeyStage) who(name string) practice.Actor {
	s.t.Helper()
	who, err := s.Practice.Authenticate(s.t.Context(), s.Sessions[name], true)
	if err != nil {
		s.t.Fatal(err)
	}
	return who
}

func (s *passkeyStage) person(name string) practice.Person {
	s.t.Helper()
	p, ok := s.who(name).Person()
	if !ok {
		s.t.Fatalf("%s is not signed in", name)
	}
	return p
}

// halfway signs somebody in with the password alone.
func (s *passkeyStage) halfway(name, address string) practice.Halfway {
	s.t.Helper()
	token, who, err := s.Practice.SignIn(s.t.Context(), address, cast.Password, s.at)
	if err != nil {
		s.t.Fatal(err)
	}
	by, ok := who.Halfway()
	if !ok {
		s.t.Fatalf("%s is in with a password alone", name)
	}
	s.Sessions[name] = token
	return by
}

// asked is what a browser is asked, as it goes over the wire, and the sealed challenge.
func asked(t *testing.T, o practice.PasskeyOptions, sealed string, err error) (options []byte, challenge string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if options, err = json.Marshal(o); err != nil {
		t.Fatal(err)
	}
	return options, sealed
}

// adds has somebody who is in add a passkey on a device.
func (s *passkeyStage) adds(name string, device *cast.Authenticator) practice.Enrolled {
	s.t.Helper()
	by := s.person(name)
	o, sealed, err := s.Practice.AskForPasskey(s.t.Context(), by)
	options, sealed := asked(s.t, o, sealed, err)
	e, err := s.Practice.AddPasskey(s.t.Context(), by, s.Sessions[name], sealed, device.Make(options), "", s.at)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Sessions[name] = e.Session
	s.Clock.Move(time.Second)
	return e
}

// device is a device on which somebody has added a passkey.
func (s *passkeyStage) device(name string) *cast.Authenticator {
	s.t.Helper()
	device := cast.NewAuthenticator()
	s.adds(name, device)
	return device
}

// toSignIn asks whoever it is to sign in.
func (s *passkeyStage) toSignIn() (options []byte, sealed string) {
	s.t.Helper()
	o, sealed, err := s.Practice.AskToSignIn(s.t.Context())
	return asked(s.t, o, sealed, err)
}

// signIn answers with a device that may sign as it likes.
func (s *passkeyStage) signIn(sealed, answer string) (practice.Actor, error) {
	token, who, err := s.Practice.SignInWithPasskey(s.t.Context(), sealed, answer, s.at)
	s.Clock.Move(time.Second)
	if (token == "") != (err != nil) || who.Nobody() != (err != nil) {
		s.t.Helper()
		s.t.Fatalf("token %q, %v, %v", token, who, err)
	}
	return who, err
}

// refused fails the test unless an answer wasn't taken, with this sentence.
func refused(t *testing.T, err error, sentence string) {
	t.Helper()
	if v, ok := err.(practice.Invalid); !ok || !strings.Contains(v["passkey"], sentence) {
		t.Errorf("%v, want %q", err, sentence)
	}
}

const (
	doesntWork = "doesn't work here"
	tooLate    = "took longer"
)

func TestAPasskeySignsInAlone(t *testing.T) {
	for _, alg := range []int64{cast.ES256, cast.EdDSA, cast.RS256} {
		for name, id := range map[string]string{"Olga": "staff", "Mia": "client"} {
			t.Run(fmt.Sprint(name, alg), func(t *testing.T) {
				s := passkeys(t)
				device := cast.NewAuthenticator()
				device.Algorithm = alg
				e := s.adds(name, device)
				if _, ok := e.Who.Person(); !ok {
					t.Error("whoever adds a passkey is thrown out")
				}
				for range 3 {
					options, sealed := s.toSignIn()
					who, err := s.signIn(sealed, device.Sign(options))
					if err != nil {
						t.Fatal(err)
					}
					if _, ok := who.Person(); !ok || !strings.HasPrefix(who.ID(), id+" ") {
						t.Errorf("%s is in as %s", name, who.ID())
					}
				}
				if n := audited(t, s.Cast, "signed in"); n != 3 {
					t.Errorf("%d entries say who signed in", n)
				}
				all, err := s.Practice.Passkeys(t.Context(), s.person(name))
				if err != nil || len(all) != 1 || all[0].Name != "Firefox on Linux" || all[0].UsedAt.IsZero() {
					t.Errorf("%+v, %v", all, err)
				}
				if handle := string(device.Keys[0].Handle); handle != s.who(name).ID() {
					t.Errorf("the device keeps %q", handle)
				}
			})
		}
	}
}

// A passkey signs in as often as a password does, and no oftener: each time is written down.
func TestNobodySignsInWithAPasskeyWithoutEnd(t *testing.T) {
	s := passkeys(t)
	device := s.device("Mia")
	for range 100 {
		options, sealed := s.toSignIn()
		if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
			t.Fatal(err)
		}
	}
	options, sealed := s.toSignIn()
	_, err := s.signIn(sealed, device.Sign(options))
	refused(t, err, "very often")
	s.Clock.Move(16 * time.Minute)
	options, sealed = s.toSignIn()
	if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
		t.Error(err)
	}
}

// Whoever comes in with a passkey, alone or after the password, at a browser that wasn't known is told, as after a code.
func TestANewDeviceIsToldOfPasskeysToo(t *testing.T) {
	s := passkeys(t)
	s.at.Device = "one"
	device := s.device("Olga")
	told := func(want int) {
		t.Helper()
		if n := noticesTo(t, s.Cast, 0, staffID(t, s.Cast, s.Olga.PublicID()), db.LetterNewDevice); n != want {
			t.Errorf("%d letters tell of a new browser, want %d", n, want)
		}
		lettersLeave(t, s.Cast)
	}
	alone := func() {
		t.Helper()
		options, sealed := s.toSignIn()
		if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
			t.Fatal(err)
		}
	}
	alone()
	told(0)
	s.at.Device = "two"
	alone()
	told(1)
	s.at.Device = "three"
	by := s.halfway("Olga", "olga@willow.example")
	told(1)
	o, sealed, err := s.Practice.AskToStep(t.Context(), by)
	options, sealed := asked(t, o, sealed, err)
	if _, _, err := s.Practice.TakeStepByPasskey(t.Context(), by, s.Sessions["Olga"], sealed, device.Sign(options), s.at); err != nil {
		t.Fatal(err)
	}
	told(2)
}

func TestAPasskeyIsTheSecondStep(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	by := s.halfway("Olga", "olga@willow.example")
	o, sealed, err := s.Practice.AskToStep(t.Context(), by)
	options, sealed := asked(t, o, sealed, err)
	answer := device.Sign(options)
	token, now, err := s.Practice.TakeStepByPasskey(t.Context(), by, s.Sessions["Olga"], sealed, answer, s.at)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := now.Administrator(); !ok || token == s.Sessions["Olga"] {
		t.Error("she isn't in, or her session goes on under the same value")
	}
	if !s.who("Olga").Nobody() {
		t.Error("the session of before still works")
	}
	s.Sessions["Olga"] = token
	if _, ok := s.who("Olga").Administrator(); !ok {
		t.Error("the new session doesn't work")
	}
	// The same answer is worth nothing in another session of hers.
	again := s.halfway("Olga", "olga@willow.example")
	_, _, err = s.Practice.TakeStepByPasskey(t.Context(), again, s.Sessions["Olga"], sealed, answer, s.at)
	refused(t, err, tooLate)
}

func TestAPasskeyConfirms(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	s.Clock.Move(11 * time.Minute)
	export := func() error {
		by, _ := s.who("Olga").Administrator()
		return s.Practice.ExportClients(t.Context(), by, io.Discard, false, false)
	}
	if err := export(); !errors.Is(err, practice.ErrConfirm) {
		t.Fatal(err)
	}
	o, sealed, err := s.Practice.AskToConfirm(t.Context(), s.person("Olga"))
	options, sealed := asked(t, o, sealed, err)
	proof := practice.Proof{Passkey: device.Sign(options), Challenge: sealed}
	token, now, err := s.Practice.Confirm(t.Context(), s.person("Olga"), s.Sessions["Olga"], proof, s.at)
	if err != nil {
		t.Fatal(err)
	}
	if token == s.Sessions["Olga"] {
		t.Error("the session goes on under the same value")
	}
	s.Sessions["Olga"] = token
	if _, ok := now.Administrator(); !ok || export() != nil {
		t.Error("she has to confirm again")
	}
	s.Clock.Move(time.Second)
	_, _, err = s.Practice.Confirm(t.Context(), s.person("Olga"), token, proof, s.at)
	refused(t, err, doesntWork)
	if n := audited(t, s.Cast, "gave a passkey that wasn't taken"); n != 1 {
		t.Errorf("%d entries about the same answer given twice", n)
	}
}

// An answer to a challenge for one thing, or of one person, is none for another.
func TestAChallengeIsForOneThing(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	toms := s.device("Tom")
	olga := s.person("Olga")
	step := s.halfway("Olga half", "olga@willow.example")
	ask := map[string]func() (practice.PasskeyOptions, string, error){
		"sign in":  func() (practice.PasskeyOptions, string, error) { return s.Practice.AskToSignIn(t.Context()) },
		"step":     func() (practice.PasskeyOptions, string, error) { return s.Practice.AskToStep(t.Context(), step) },
		"confirm":  func() (practice.PasskeyOptions, string, error) { return s.Practice.AskToConfirm(t.Context(), olga) },
		"register": func() (practice.PasskeyOptions, string, error) { return s.Practice.AskForPasskey(t.Context(), olga) },
		"Tom's": func() (practice.PasskeyOptions, string, error) {
			return s.Practice.AskToConfirm(t.Context(), s.person("Tom"))
		},
	}
	use := map[string]func(sealed, answer string) error{
		"sign in": func(sealed, answer string) error {
			_, _, err := s.Practice.SignInWithPasskey(t.Context(), sealed, answer, s.at)
			return err
		},
		"step": func(sealed, answer string) error {
			_, _, err := s.Practice.TakeStepByPasskey(t.Context(), step, s.Sessions["Olga half"], sealed, answer, s.at)
			return err
		},
		"confirm": func(sealed, answer string) error {
			_, _, err := s.Practice.Confirm(t.Context(), olga, s.Sessions["Olga"], practice.Proof{Passkey: answer, Challenge: sealed}, s.at)
			return err
		},
		"register": func(sealed, answer string) error {
			_, err := s.Practice.AddPasskey(t.Context(), olga, s.Sessions["Olga"], sealed, answer, "", s.at)
			return err
		},
	}
	for made, ask := range ask {
		for used, use := range use {
			if made == used {
				continue
			}
			o, sealed, err := ask()
			options, sealed := asked(t, o, sealed, err)
			answer := device.SignWith(device.Keys[0], options)
			if made == "register" || used == "register" {
				options, _ = json.Marshal(o)
				if answer = device.Make(options); answer == "" {
					answer = cast.NewAuthenticator().Make(options)
				}
			}
			s.Clock.Move(time.Second)
			t.Run(made+" as "+used, func(t *testing.T) { refused(t, use(sealed, answer), tooLate) })
		}
	}
	// Tom's passkey doesn't prove who Olga is, even to her own challenge.
	o, sealed, err := ask["confirm"]()
	options, sealed := asked(t, o, sealed, err)
	refused(t, use["confirm"](sealed, toms.SignWith(toms.Keys[0], options)), doesntWork)
}

func TestAnAnswerCountsOnceAndNotForLong(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	options, sealed := s.toSignIn()
	answer := device.Sign(options)
	other, otherSealed := s.toSignIn() // in another window, at the same time
	if _, err := s.signIn(sealed, answer); err != nil {
		t.Fatal(err)
	}
	_, err := s.signIn(sealed, answer)
	refused(t, err, doesntWork)
	device.Counts = false // an honest counter would show it by itself
	_, err = s.signIn(otherSealed, device.Sign(other))
	refused(t, err, doesntWork)

	options, sealed = s.toSignIn()
	s.Clock.Move(5*time.Minute + time.Second)
	_, err = s.signIn(sealed, device.Sign(options))
	refused(t, err, tooLate)
	for _, sealed := range []string{"", "none.none", sealed[:len(sealed)-2] + "AA", strings.Repeat("x", 4000)} {
		_, err := s.signIn(sealed, device.Sign(options))
		refused(t, err, tooLate)
	}

	// Without a counter, only the time of the last use tells.
	s, device = passkeys(t), cast.NewAuthenticator()
	device.Counts = false
	s.adds("Mia", device)
	options, sealed = s.toSignIn()
	answer = device.Sign(options)
	if _, err := s.signIn(sealed, answer); err != nil {
		t.Fatal(err)
	}
	_, err = s.signIn(sealed, answer)
	refused(t, err, doesntWork)
	// The clock was a year ahead when it was used, and was set right: its owner isn't kept out.
	s.Clock.Move(-365 * 24 * time.Hour)
	options, sealed = s.toSignIn()
	if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
		t.Error(err)
	}
}

func TestWhoMayNotComeInDoesNotWithAPasskey(t *testing.T) {
	for _, c := range []struct {
		who      string
		shut     func(*passkeyStage) error
		open     func(*passkeyStage) error
		sentence string
	}{
		{"Finn", func(s *passkeyStage) error {
			_, err := s.Practice.DisableStaff(s.t.Context(), s.Olga, s.Finn.PublicID(), practice.KeepAssigned)
			return err
		}, func(s *passkeyStage) error {
			return s.Practice.EnableStaff(s.t.Context(), s.Olga, s.Finn.PublicID())
		}, doesntWork},
		{"Mia", func(s *passkeyStage) error {
			return s.Practice.TurnPortal(s.t.Context(), s.Olga, s.Mia.PublicID, false)
		}, func(s *passkeyStage) error {
			return s.Practice.TurnPortal(s.t.Context(), s.Olga, s.Mia.PublicID, true)
		}, doesntWork},
		{"Mia", func(s *passkeyStage) error { return s.Practice.TurnPortalOff(s.t.Context(), s.Olga) },
			func(s *passkeyStage) error { return s.Practice.TurnPortalOn(s.t.Context(), s.Olga) }, ""},
	} {
		s := passkeys(t)
		device := s.device(c.who)
		try := func() error {
			options, sealed := s.toSignIn()
			_, err := s.signIn(sealed, device.Sign(options))
			return err
		}
		if err := c.shut(s); err != nil {
			t.Fatal(err)
		}
		if err := try(); c.sentence != "" {
			refused(t, err, c.sentence)
		} else if !errors.Is(err, practice.ErrPortalOff) {
			t.Error(err)
		}
		if err := c.open(s); err != nil {
			t.Fatal(err)
		}
		if err := try(); err != nil {
			t.Errorf("%s is kept out for good: %v", c.who, err)
		}
	}
}

func TestARemovedPasskeyIsNobodys(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	all, err := s.Practice.Passkeys(t.Context(), s.person("Olga"))
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func(practice.Person) error{
		"removed": func(by practice.Person) error { return s.Practice.RemovePasskey(t.Context(), by, all[0].ID, s.at) },
		"renamed": func(by practice.Person) error { return s.Practice.RenamePasskey(t.Context(), by, all[0].ID, "mine") },
	} {
		for _, who := range []string{"Tom", "Mia"} {
			if err := try(s.person(who)); !errors.Is(err, practice.ErrNotFound) {
				t.Errorf("%s %s Olga's passkey: %v", who, name, err)
			}
		}
	}
	if err := s.Practice.RenamePasskey(t.Context(), s.person("Olga"), all[0].ID, "  Desk\tat work "); err != nil {
		t.Fatal(err)
	}
	if all, _ = s.Practice.Passkeys(t.Context(), s.person("Olga")); all[0].Name != "Desk at work" {
		t.Errorf("it is called %q", all[0].Name)
	}
	for _, name := range []string{" ", strings.Repeat("x", 61)} {
		if v, ok := s.Practice.RenamePasskey(t.Context(), s.person("Olga"), all[0].ID, name).(practice.Invalid); !ok || v["name"] == "" {
			t.Errorf("%q is a name", name)
		}
	}
	options, sealed := s.toSignIn()
	if err := s.Practice.RemovePasskey(t.Context(), s.person("Olga"), all[0].ID, s.at); err != nil {
		t.Fatal(err)
	}
	_, err = s.signIn(sealed, device.Sign(options))
	refused(t, err, doesntWork)
	if n := audited(t, s.Cast, "removed a passkey"); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestOnlyWhoConfirmedAddsAndRemoves(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	s.Clock.Move(11 * time.Minute)
	olga := s.person("Olga")
	all, err := s.Practice.Passkeys(t.Context(), olga)
	if err != nil {
		t.Fatal(err)
	}
	_, _, asking := s.Practice.AskForPasskey(t.Context(), olga)
	_, adding := s.Practice.AddPasskey(t.Context(), olga, s.Sessions["Olga"], "", "", "", s.at)
	removing := s.Practice.RemovePasskey(t.Context(), olga, all[0].ID, s.at)
	for _, err := range []error{asking, adding, removing} {
		if !errors.Is(err, practice.ErrConfirm) {
			t.Error(err)
		}
	}
	options, sealed := s.toSignIn()
	if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
		t.Error(err)
	}
}

func TestFirstPasskeyOfWhoMustHaveOne(t *testing.T) {
	s := passkeys(t)
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.RequireSecondStep(true, true) }); err != nil {
		t.Fatal(err)
	}
	for _, who := range []struct{ name, address string }{{"Tess", "tess@willow.example"}, {"Leo", "leo@mail.example"}} {
		by := s.halfway(who.name, who.address)
		if _, _, err := s.Practice.AskToStep(t.Context(), by); !errors.Is(err, practice.ErrNotFound) {
			t.Errorf("asked for a passkey that there isn't: %v", err)
		}
		o, sealed, err := s.Practice.AskForFirstPasskey(t.Context(), by)
		options, sealed := asked(t, o, sealed, err)
		device := cast.NewAuthenticator()
		answer := device.Make(options)
		e, err := s.Practice.AddFirstPasskey(t.Context(), by, s.Sessions[who.name], sealed, answer, "Phone", s.at)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := e.Who.Person(); !ok || len(e.Codes) == 0 || e.Session == s.Sessions[who.name] {
			t.Errorf("%+v", e)
		}
		s.Clock.Move(time.Second)
		// Whoever knows the password can't add another.
		again := s.halfway(who.name, who.address)
		if _, _, err := s.Practice.AskForFirstPasskey(t.Context(), again); !errors.Is(err, practice.ErrNotFound) {
			t.Error(err)
		}
		if _, err := s.Practice.AddFirstPasskey(t.Context(), again, s.Sessions[who.name], sealed, answer, "", s.at); !errors.Is(err, practice.ErrNotFound) {
			t.Error(err)
		}
	}
}

func TestPasskeysAreFew(t *testing.T) {
	s := passkeys(t)
	for range 20 {
		s.device("Olga")
	}
	_, _, err := s.Practice.AskForPasskey(t.Context(), s.person("Olga"))
	refused(t, err, "20 passkeys already")
}

func TestTooManyWrongAnswersFromANetwork(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	stranger := cast.NewAuthenticator()
	for range 50 {
		options, sealed := s.toSignIn()
		o, _, err := s.Practice.AskForPasskey(t.Context(), s.person("Olga"))
		made, _ := asked(t, o, "", err)
		stranger.Make(made)
		_, err = s.signIn(sealed, stranger.Sign(options))
		refused(t, err, doesntWork)
	}
	options, sealed := s.toSignIn()
	_, err := s.signIn(sealed, device.Sign(options))
	refused(t, err, "Wait 15 minutes")
	s.at.Network = "192.0.2.2"
	options, sealed = s.toSignIn()
	if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
		t.Error(err)
	}
}

// What isn't taken is written down, but neither strangers nor who knows somebody's passkey fill the log with it.
func TestFailedPasskeysDoNotFillTheLog(t *testing.T) {
	s := passkeys(t)
	device := s.device("Olga")
	entries := func() (n int) {
		t.Helper()
		if err := s.DB.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM audit_entries").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	answers := map[string]func() string{
		"nobody's": func() string { return `{"type":"public-key","id":"AAAA","rawId":"AAAA"}` },
		"Olga's, to another challenge": func() string {
			options, _ := s.toSignIn()
			return device.Sign(options)
		},
	}
	for name, answer := range answers {
		before := entries()
		for i := range 230 {
			_, sealed := s.toSignIn()
			_, _, err := s.Practice.SignInWithPasskey(t.Context(), sealed, answer(), practice.Browser{Network: fmt.Sprintf("%s %d", name, i/40)})
			refused(t, err, doesntWork)
		}
		if n := entries() - before; n != 201 {
			t.Errorf("%s: %d entries of 230 answers, want 200 and one that says so", name, n)
		}
	}
	// The owner's next is taken all the same.
	options, sealed := s.toSignIn()
	if _, err := s.signIn(sealed, device.Sign(options)); err != nil {
		t.Error(err)
	}
}

func TestNoPasskeysAtAnIPAddress(t *testing.T) {
	for address, offered := range map[string]bool{
		"http://localhost:8080": true, "https://portal.example.com": true, "https://PRAXIS.example:8443": true, "https://grüß.example": true,
		"http://127.0.0.1:8080": false, "https://[::1]": false, "https://192.0.2.7": false,
	} {
		public, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		p := practice.New(passkeys(t).DB, practice.Config{Public: public})
		_, _, err = p.AskToSignIn(t.Context())
		if p.OffersPasskeys() != offered || errors.Is(err, practice.ErrNotFound) == offered {
			t.Errorf("%s: %t, %v", address, p.OffersPasskeys(), err)
		}
	}
}

// spoilt is an answer that differs from an honest one, and whether it is taken all the same.
type spoilt struct {
	name   string
	device func(*cast.Authenticator)
	answer func(map[string]any) // is the browser's JSON
	taken  bool
	late   bool // the other takes it at first, and refuses whatever is signed with it
}

func (s spoilt) applied(answer string) string {
	if s.answer == nil {
		return answer
	}
	var a map[string]any
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		panic(err)
	}
	s.answer(a)
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// response is the part of an answer that tells what the device and the browser said.
func response(a map[string]any) map[string]any { return a["response"].(map[string]any) }

// flip turns a bit of the n-th byte, from the end for less than 0, of what is told there.
func flip(a map[string]any, name string, n int) {
	raw, err := base64.RawURLEncoding.DecodeString(response(a)[name].(string))
	if err != nil {
		panic(err)
	}
	raw[(n+len(raw))%len(raw)] ^= 1
	response(a)[name] = base64.RawURLEncoding.EncodeToString(raw)
}

// cut leaves no more than that of what the device said.
func cut(a map[string]any, length int) {
	for _, name := range []string{"authenticatorData", "attestationObject"} {
		if said, ok := response(a)[name].(string); ok {
			response(a)[name] = said[:length]
		}
	}
}

var spoiltByBoth = []spoilt{
	{name: "honest", taken: true},
	{name: "without a counter", device: func(a *cast.Authenticator) { a.Counts = false }, taken: true},
	{name: "of a port of its own", device: func(a *cast.Authenticator) { a.Origin = "http://localhost:8081" }},
	{name: "over https", device: func(a *cast.Authenticator) { a.Origin = "https://localhost:8080" }},
	{name: "of a name beside it", device: func(a *cast.Authenticator) { a.Origin = "http://localhost.evil.example:8080" }},
	{name: "of no site", device: func(a *cast.Authenticator) { a.Origin = "null" }},
	{name: "in another site's frame", device: func(a *cast.Authenticator) {
		a.Spoil = func(c *cast.ClientData) { c.CrossOrigin, c.TopOrigin = true, "https://evil.example" }
	}},
	{name: "in a frame", device: func(a *cast.Authenticator) { a.Spoil = func(c *cast.ClientData) { c.CrossOrigin = true } }},
	{name: "for another site", device: func(a *cast.Authenticator) { a.Site = "evil.example" }},
	{name: "for a site below", device: func(a *cast.Authenticator) { a.Site = "portal.localhost" }},
	{name: "nobody verified", device: func(a *cast.Authenticator) { a.Flags = cast.UserVerified }},
	{name: "nobody there", device: func(a *cast.Authenticator) { a.Flags = cast.UserPresent }},
	{name: "backed up, which it may not be", device: func(a *cast.Authenticator) { a.Flags = cast.BackedUp }},
	{name: "another challenge", device: func(a *cast.Authenticator) {
		a.Spoil = func(c *cast.ClientData) { c.Challenge = strings.Repeat("A", len(c.Challenge)) }
	}},
	{name: "no challenge", device: func(a *cast.Authenticator) { a.Spoil = func(c *cast.ClientData) { c.Challenge = "" } }},
	{name: "the other kind", device: func(a *cast.Authenticator) {
		a.Spoil = func(c *cast.ClientData) {
			c.Type = map[string]string{"webauthn.get": "webauthn.create", "webauthn.create": "webauthn.get"}[c.Type]
		}
	}},
	{name: "another type", answer: func(a map[string]any) { a["type"] = "password" }},
	{name: "two ids", answer: func(a map[string]any) { a["rawId"] = strings.Repeat("A", 43) }},
	{name: "no id", answer: func(a map[string]any) { a["id"], a["rawId"] = "", "" }},
	{name: "nothing said", answer: func(a map[string]any) { cut(a, 0) }},
	{name: "cut short", answer: func(a map[string]any) { cut(a, 40) }},
	{name: "what the browser said isn't JSON", answer: func(a map[string]any) { response(a)["clientDataJSON"] = "e30e30" }},
}

// What is taken here is what an independent implementation takes: every answer is given to both.
func TestAnswersThatSignAreJudgedAsAnotherJudgesThem(t *testing.T) {
	for _, c := range append(spoiltByBoth, []spoilt{
		{name: "another signature", answer: func(a map[string]any) { flip(a, "signature", -1) }},
		{name: "no signature", answer: func(a map[string]any) { response(a)["signature"] = "" }},
		{name: "what the device said was changed", answer: func(a map[string]any) { flip(a, "authenticatorData", -1) }},
		{name: "what the browser said was changed", answer: func(a map[string]any) {
			said, _ := base64.RawURLEncoding.DecodeString(response(a)["clientDataJSON"].(string))
			response(a)["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(append(said, ' '))
		}},
		{name: "another's handle", answer: func(a map[string]any) { flip(a, "userHandle", 0) }},
		{name: "no handle", answer: func(a map[string]any) { response(a)["userHandle"] = "" }},
		{name: "an id that nobody knows", answer: func(a map[string]any) { a["id"], a["rawId"] = strings.Repeat("A", 43), strings.Repeat("A", 43) }},
		{name: "counted back", device: func(a *cast.Authenticator) { a.Keys[0].Counter = 3 }},
		{name: "counted the same", device: func(a *cast.Authenticator) { a.Keys[0].Counter = 4 }},
		{name: "counted on", device: func(a *cast.Authenticator) { a.Keys[0].Counter = 5 }, taken: true},
		{name: "counter at its end", device: func(a *cast.Authenticator) { a.Keys[0].Counter = 1<<32 - 2 }, taken: true},
		{name: "can be backed up now", device: func(a *cast.Authenticator) { a.Flags = cast.MayBackUp }},
		{name: "another key of the device", device: func(a *cast.Authenticator) {
			other := cast.NewAuthenticator()
			other.Make([]byte(`{"rp":{"id":"localhost"}}`))
			id, handle := a.Keys[0].ID, a.Keys[0].Handle
			*a.Keys[0] = *other.Keys[0]
			a.Keys[0].ID, a.Keys[0].Handle = id, handle
		}},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			s := passkeys(t)
			device := cast.NewAuthenticator()
			device.Start, device.Counts = 5, c.name != "without a counter"
			o, sealed, err := s.Practice.AskForPasskey(t.Context(), s.person("Olga"))
			options, sealed := asked(t, o, sealed, err)
			made := device.Make(options)
			if _, err := s.Practice.AddPasskey(t.Context(), s.person("Olga"), s.Sessions["Olga"], sealed, made, "", s.at); err != nil {
				t.Fatal(err)
			}
			s.Clock.Move(time.Second)
			them := newOther(t)
			credential, err := them.made(o, made)
			if err != nil {
				t.Fatal(err)
			}
			o, sealed, err = s.Practice.AskToSignIn(t.Context())
			options, sealed = asked(t, o, sealed, err)
			if c.device != nil {
				c.device(device)
			}
			answer := c.applied(device.SignWith(device.Keys[0], options))
			_, ours := s.signIn(sealed, answer)
			theirs := them.signed(o, credential, answer)
			if (ours == nil) != c.taken || (theirs == nil) != c.taken {
				t.Errorf("ours: %v, theirs: %v", ours, theirs)
			}
			if !c.taken {
				refused(t, ours, doesntWork)
				if n := audited(t, s.Cast, "failed to sign in"); n != 1 {
					t.Errorf("%d entries", n)
				}
			}
		})
	}
}

func TestPasskeysThatAreMadeAreJudgedAsAnotherJudgesThem(t *testing.T) {
	for _, c := range append(spoiltByBoth, []spoilt{
		{name: "Ed25519", device: func(a *cast.Authenticator) { a.Algorithm = cast.EdDSA }, taken: true},
		{name: "RSA", device: func(a *cast.Authenticator) { a.Algorithm = cast.RS256 }, taken: true},
		{name: "an algorithm that nobody asked for", device: func(a *cast.Authenticator) { a.Algorithm = cast.ES384 }},
		{name: "that can be backed up", device: func(a *cast.Authenticator) { a.Flags = cast.MayBackUp }, taken: true},
		{name: "that is backed up", device: func(a *cast.Authenticator) { a.Flags = cast.MayBackUp | cast.BackedUp }, taken: true},
		{name: "of another id", answer: func(a map[string]any) { a["id"], a["rawId"] = strings.Repeat("A", 43), strings.Repeat("A", 43) }},
		{name: "of a key that is no point", answer: func(a map[string]any) { flip(a, "attestationObject", -1) }, late: true},
		{name: "with something after it", answer: func(a map[string]any) {
			response(a)["attestationObject"] = response(a)["attestationObject"].(string) + "AAAA"
		}},
		{name: "without a key", device: func(a *cast.Authenticator) { a.Flags = cast.HoldsKey }},
	}...) {
		t.Run(c.name, func(t *testing.T) {
			s := passkeys(t)
			device := cast.NewAuthenticator()
			o, sealed, err := s.Practice.AskForPasskey(t.Context(), s.person("Olga"))
			options, sealed := asked(t, o, sealed, err)
			if c.device != nil {
				c.device(device)
			}
			answer := device.Make(options)
			if c.answer != nil {
				answer = c.applied(answer)
			}
			_, ours := s.Practice.AddPasskey(t.Context(), s.person("Olga"), s.Sessions["Olga"], sealed, answer, "", s.at)
			_, theirs := newOther(t).made(o, answer)
			if (ours == nil) != c.taken || (theirs == nil) != (c.taken || c.late) {
				t.Errorf("ours: %v, theirs: %v", ours, theirs)
			}
			if !c.taken {
				refused(t, ours, "can't be used here")
			}
		})
	}
}

// other is an independent implementation, asked for the same kind of passkey.
type other struct{ *webauthn.WebAuthn }

func newOther(t *testing.T) other {
	t.Helper()
	w, err := webauthn.New(&webauthn.Config{RPID: cast.Public.Hostname(), RPDisplayName: "the same site", RPOrigins: []string{cast.Public.String()}})
	if err != nil {
		t.Fatal(err)
	}
	return other{w}
}

// otherUser is the owner of the passkey that it is asked about.
type otherUser struct {
	handle     []byte
	credential *webauthn.Credential
}

func (u otherUser) WebAuthnID() []byte          { return u.handle }
func (u otherUser) WebAuthnName() string        { return "name" }
func (u otherUser) WebAuthnDisplayName() string { return "name" }
func (u otherUser) WebAuthnCredentials() []webauthn.Credential {
	return []webauthn.Credential{*u.credential}
}

func (w other) made(o practice.PasskeyOptions, answer string) (*otherUser, error) {
	handle, err := base64.RawURLEncoding.DecodeString(asText(o.User.ID))
	if err != nil {
		return nil, err
	}
	u := &otherUser{handle: handle}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, err
	}
	session := webauthn.SessionData{Challenge: asText(o.Challenge), UserID: handle, UserVerification: protocol.VerificationRequired}
	for _, alg := range o.Algorithms {
		session.CredParams = append(session.CredParams, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.COSEAlgorithmIdentifier(alg.Alg)})
	}
	u.credential, err = w.CreateCredential(u.first(), session, parsed)
	return u, err
}

// first is the owner before they have it.
func (u otherUser) first() webauthn.User { return otherUser{u.handle, &webauthn.Credential{}} }

func (w other) signed(o practice.PasskeyOptions, u *otherUser, answer string) error {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return err
	}
	session := webauthn.SessionData{Challenge: asText(o.Challenge), UserVerification: protocol.VerificationRequired}
	_, credential, err := w.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return u, nil }, session, parsed)
	if err == nil && credential.Authenticator.CloneWarning {
		err = errors.New("it may have been copied")
	}
	return err
}

// asText is bytes as they go over the wire.
func asText(b interface{ MarshalText() ([]byte, error) }) string {
	text, _ := b.MarshalText()
	return string(text)
}
