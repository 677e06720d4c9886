package handlers

import (
	"strings"
	"testing"

	"anteroom/db"
)

// notMeantLink is the path of the own link of the last letter to a client.
func (s *testSite) notMeantLink(client db.Client) (path string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		letters, err := tx.ClientLetters(db.Everybody(), client.ID)
		if err != nil {
			return err
		}
		token, err := tx.LetterToken(letters[0])
		path = notMeantPath + "/" + token
		return err
	})
	return path
}

func (s *testSite) client(client db.Client) (c db.Client) {
	s.t.Helper()
	s.update(func(tx *db.Tx) (err error) {
		c, err = tx.ClientByID(db.Everybody(), client.ID)
		return err
	})
	return c
}

// A scanner may open the link a thousand times: only the button, which no scanner presses, says anything.
func TestOpeningNotMeantChangesNothing(t *testing.T) {
	s := newSite(t)
	s.inviteAnn()
	path := s.notMeantLink(s.Ann)
	scanner := s.as("")
	for range 500 {
		scanner.get(path).wantTo(notMeantPath)
		scanner.ask("HEAD", path, nil).want(303)
	}
	scanner.get(notMeantPath).want(200)
	if c := s.client(s.Ann); !c.Portal.UnwantedAt.IsZero() || c.Portal.State(s.Clock.Now()) != db.PortalQueued {
		t.Errorf("Ann: %s, unwanted %s", c.Portal.State(s.Clock.Now()), c.Portal.UnwantedAt)
	}
	s.as("").post(notMeantPath).wantTo(notMeantPath) // whoever brings no link is asked to open one
	s.as("").get(notMeantPath).want(410, "Open the link in your mail")
}

func TestNotMeantForMe(t *testing.T) {
	s := newSite(t)
	join := s.inviteAnn()
	path := s.notMeantLink(s.Ann)
	token := strings.TrimPrefix(path, notMeantPath+"/")
	reader := s.as("")
	opened := reader.get(path).wantTo(notMeantPath)
	if opened.header.Get("Referrer-Policy") != "no-referrer" || opened.header.Get("Cache-Control") != "no-store" {
		t.Error(opened.header)
	}
	page := reader.get(notMeantPath).want(200, "Willow Street Counseling", "It wasn't meant for me")
	for _, secret := range []string{"Ann", "Abbott", "ann@mail.example", token} {
		if strings.Contains(page.body, secret) {
			t.Errorf("the page shows %s", secret)
		}
	}
	said := reader.follow(reader.post(notMeantPath).wantTo(notMeantPath+"?said=yes")).want(200, "Thank you").text("main")
	if reader.cookies[notMeantCookie] != "" {
		t.Error("the cookie stays")
	}
	stranger := s.as("")
	stranger.follow(stranger.get(notMeantPath+"/"+strings.Repeat("x", 43))).want(200, "It wasn't meant for me")
	if other := stranger.follow(stranger.post(notMeantPath)).text("main"); other != said {
		t.Errorf("an unknown token is told %q", other)
	}
	late := s.as("")
	late.follow(late.get(join)).want(410, "This link doesn't work any more")
	if log := s.log.String(); strings.Contains(log, token) || !strings.Contains(log, "route=/not-for-me/:token") {
		t.Error("the log: ", log)
	}

	// The office is told, and nothing can be sent until the mark is lifted.
	s.as("Tom").get("/clients/"+s.Ann.PublicID).want(200, "Couldn't be sent", "isn't meant for them")
	s.as("Olga").get(manageClientsPath).want(200, "Whoever reads this address said")

	// From a network that brings too many links of nobody's, no link says anything.
	for range 30 {
		b := s.as("")
		b.get(notMeantPath + "/" + strings.Repeat("y", 43))
		b.post(notMeantPath)
	}
	late.get(path)
	late.post(notMeantPath).want(422, "Too many links")
}
