package handlers

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/practice/cast"
	"anteroom/views"
)

// invited has Olga invite clients, and returns their letters' public ids by first name.
func (s *testSite) invited(clients ...db.Client) map[string]string {
	s.t.Helper()
	s.library()
	s.as("Olga").post(s.olgasDraft(clients...) + "/send").want(http.StatusSeeOther)
	ids := map[string]string{}
	for _, l := range s.letters(db.LetterFilter{}) {
		ids[l.Client.FirstName] = l.PublicID
	}
	return ids
}

func (s *testSite) letters(f db.LetterFilter) []db.OutboxLetter {
	s.t.Helper()
	found, err := s.Practice.Letters(s.t.Context(), s.Olga, f, 0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return found.Letters
}

// settled has the one letter that is due end like this.
func (s *testSite) settled(state db.LetterState, reply string) {
	s.t.Helper()
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(1, 1e12)
		if err != nil {
			return err
		}
		return tx.SettleLetter(db.Settlement{Letter: claimed[0], State: state, Due: tx.Now().Add(1e12), Reply: reply})
	}); err != nil {
		s.t.Fatal(err)
	}
}

func TestQueueIsSearchedAndTurned(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get(mailQueuePath).want(http.StatusOK, "No letter found", "Invite a client, and the letter is listed here.")
	ids := s.invited(s.Ann, s.Ben)
	s.settled(db.LetterFailed, "550 5.1.1 no such user")
	olga.get(mailQueuePath).want(http.StatusOK, "2 letters", "Queued 1", "Failed 1", "Bell, Ben", "Abbott, Ann", "This mailbox doesn't exist.", "Try again now")
	for path, want := range map[string]string{"?q=ann@mail": "Abbott, Ann", "?q=bell": "Bell, Ben", "?state=queued": "Bell, Ben", "?state=failed": "Abbott, Ann", "?kind=invitation&q=abb": "Abbott, Ann"} {
		if a := olga.htmx().get(mailQueuePath+path).want(http.StatusOK, want, "1 letter"); a.doc.Find("tbody tr").Length() != 1 || strings.Contains(a.body, "<!doctype") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	olga.get(mailQueuePath+"?kind=forms").want(http.StatusOK, "No letter matches")

	a := olga.get(mailQueuePath+"/"+ids["Ann"]).want(http.StatusOK, "Failed", "550 5.1.1 no such user", "sent by Olga Olson", "your-private-link-goes-here-when-it-is-sent")
	if strings.Count(a.body, "/link/") == 0 || a.doc.Find("button[disabled]").Length() != 1 {
		t.Error(a.main())
	}
	olga.get(mailQueuePath + "/00000000-0000-4000-8000-000000000000").want(http.StatusNotFound)

	olga.post(mailQueuePath, "do", "cancel", "on", ids["Ann"]).want(http.StatusUnprocessableEntity, "Abbott, Ann: It failed and waits no more.")
	olga.follow(olga.post(mailQueuePath, "do", "retry")).want(http.StatusOK, "No letter is ticked yet.")
	olga.follow(olga.post(mailQueuePath, "do", "retry", "on", ids["Ann"], "state", "failed")).want(http.StatusOK, "Letters that are tried again at once: 1.", "Failed 0")
	olga.follow(olga.post(mailQueuePath, "do", "cancel", "on", ids["Ann"])).want(http.StatusOK, "Letters that were taken back: 1.", "Cancelled 1")
	olga.post(mailQueuePath, "do", "cancel", "on", ids["Ann"], "on", ids["Ben"]).
		want(http.StatusUnprocessableEntity, "Letters that were taken back: 1. These stayed as they were:", "Abbott, Ann: It is in the queue no more.")
	olga.post(mailQueuePath, "do", "retry", "on", ids["Ben"]).want(http.StatusUnprocessableEntity, "Bell, Ben: It was taken back.")
	if a := olga.get(mailQueuePath+"?state=cancelled").want(http.StatusOK, "An administrator took it back."); a.doc.Find("button[name=do]").Length() != 0 {
		t.Error("there are buttons for what can't be ticked")
	}
	olga.post(mailQueuePath, "do", "frame", "on", ids["Ben"]).want(http.StatusNotFound)
	olga.post(mailQueuePath, "do", "retry", "on", "nothing").want(http.StatusNotFound)
}

// What the mail server said to a letter that it took may read as if it still waited there.
func TestQueueSaysNothingOfAnAcceptedLettersReply(t *testing.T) {
	s := newSite(t)
	olga, ids := s.as("Olga"), s.invited(s.Ann)
	s.settled(db.LetterAccepted, "250 2.0.0 OK: queued")
	if a := olga.get(mailQueuePath).want(http.StatusOK, "Accepted 1"); a.doc.Find("tbody td:last-child .sub").Length() != 0 {
		t.Error(a.main())
	}
	olga.get(mailQueuePath+"/"+ids["Ann"]).want(http.StatusOK, "250 2.0.0 OK: queued")
}

// withOutbox is a site with an outbox that nobody has work.
func withOutbox(t *testing.T) *testSite {
	t.Helper()
	c := cast.New(t)
	composer, err := mail.NewComposer(views.Files)
	if err != nil {
		t.Fatal(err)
	}
	from, err := db.ParseEmail("portal@willow.example")
	if err != nil {
		t.Fatal(err)
	}
	c.Practice = practice.New(c.DB, practice.Config{Public: cast.Public, Composer: composer, From: from, Outbox: mail.NewWorker(c.DB, 1, slog.New(slog.DiscardHandler))})
	return siteOf(t, c)
}

func TestOutboxIsPausedAndResumed(t *testing.T) {
	s := withOutbox(t)
	olga, tom := s.as("Olga"), s.as("Tom")
	path := mailPath + "/outbox"
	olga.get(path).wantTo(mailQueuePath) // there is nothing to resume
	s.invited(s.Ann, s.Ben)
	if a := olga.get(mailQueuePath).want(http.StatusOK, "Held", "No mail server is set up, so letters wait in the queue."); a.text(`a.button[href="`+mailSettingsPath+`"]`) != "Set up mail" {
		t.Error("the queue doesn't lead to where mail is set up")
	}
	if a := olga.get("/clients"); a.text(`.banner a[href="`+mailSettingsPath+`"]`) != "Set up mail" {
		t.Error("the banner doesn't lead to where mail is set up")
	}
	olga.follow(olga.post(path, "turn", "pause")).want(http.StatusOK, "Paused: no letter leaves", "Olga Olson paused the outbox.", "Resume")
	// It stays where it was pressed, and goes nowhere else.
	olga.post(path, "turn", "pause", "from", "settings").wantTo(mailSettingsPath)
	olga.post(path, "turn", "pause", "from", "https://elsewhere.example/").wantTo(mailQueuePath)
	if a := olga.get(mailSettingsPath); a.doc.Find(`section[aria-labelledby=outbox] input[name=from][value=settings]`).Length() != 1 {
		t.Error("the settings' buttons lead away from them")
	}
	if a := olga.get("/clients"); a.doc.Find(`.banner a[href="`+mailQueuePath+`"]`).Length() != 1 {
		t.Error("an administrator isn't led to where the outbox is resumed")
	}
	if a := tom.get("/clients").want(http.StatusOK, "Olga Olson paused the outbox."); a.doc.Find(".banner a").Length() != 0 {
		t.Error("a therapist is led where they may not go")
	}
	tom.post(path, "turn", "resume").want(http.StatusForbidden)
	olga.follow(olga.post(path, "turn", "resume")).want(http.StatusOK, "Letters leave again.")
	olga.follow(olga.post(path, "turn", "retry")).want(http.StatusOK, "The mail server is being asked again.")
	olga.post(path, "turn", "over").want(http.StatusNotFound)

	// What the program paused asks first, in numbers.
	older := func(client db.Client, by time.Duration) {
		s.update(func(tx *db.Tx) error {
			_, err := tx.Exec("UPDATE letters SET created_at = created_at - ? WHERE client_id = ?", by.Milliseconds(), client.ID)
			return err
		})
	}
	older(s.Ann, 3*24*time.Hour)
	older(s.Ben, 8*24*time.Hour)
	s.update(func(tx *db.Tx) error { return tx.PauseOutbox(0, "This database was restored or moved.") })
	a := olga.get(mailSettingsPath).want(http.StatusOK, "Paused", "This database was restored or moved.", "Resume…")
	if a.doc.Find(`button[value=resume]`).Length() != 0 || a.doc.Find(`.badge[data-state=bad]`).Length() != 1 {
		t.Error(a.main())
	}
	if a := olga.get(path + "?from=settings"); a.doc.Find("input[name=from][value=settings]").Length() != 1 || a.doc.Find(`a.button[href="`+mailSettingsPath+`"]`).Length() != 1 {
		t.Error("to resume leads away from the settings")
	}
	olga.get(path).want(http.StatusOK, "0 letters written within the last day", "1 letter from the week before that", "1 letter older than a week", "would arrive twice")
	s.update(func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE clients SET portal_off_at = 1 WHERE id = ?", s.Ann.ID)
		return err
	})
	olga.get(path).want(http.StatusOK, "Of these, 1 letter is taken back instead")
	olga.post("/clients/" + s.Ben.PublicID + "/archive").want(http.StatusSeeOther)
	olga.get(path).want(http.StatusOK, "0 letters older than a week") // it was taken back with the client
	olga.follow(olga.post(path, "turn", "resume")).want(http.StatusOK, "Letters leave again.")
}

// What holds letters decides where an administrator is led.
func TestWhereHeldMailIsLookedInto(t *testing.T) {
	for _, c := range []struct {
		status      mail.Status
		path, words string
		sentence    string
	}{
		{mail.Status{Held: "Nothing is set.", Unset: true}, mailSettingsPath, "Set up mail", "Nothing is set."},
		{mail.Status{Held: "It refused us: 535 5.7.8 no", Trouble: true}, mailSettingsPath, "Look at the mail settings", "It refused us: 535 5.7.8 no."},
		{mail.Status{Held: "Olga paused it.", Paused: true}, mailQueuePath, "Look into the queue", "Olga paused it."},
		{mail.Status{Held: "The disk is full or failing", Alarm: true}, mailQueuePath, "Look into the queue", "The disk is full or failing."},
		{mail.Status{}, mailQueuePath, "Look into the queue", ""},
	} {
		path, words := whereHeld(practice.OutboxStatus{Status: c.status})
		if sentence := fullStop(c.status.Held); path != c.path || words != c.words || sentence != c.sentence {
			t.Errorf("%+v: %s, %s, %s", c.status, path, words, sentence)
		}
	}
}

func TestWhatALetterSaidIsForgotten(t *testing.T) {
	s := newSite(t)
	ids := s.invited(s.Ann)
	s.settled(db.LetterAccepted, "250 ok")
	s.as("Olga").get(mailQueuePath+"/"+ids["Ann"]).want(http.StatusOK, "Where the private part of its link stands")
	s.Clock.Move(366 * 24 * time.Hour)
	if err := s.Practice.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.Practice.SignIn(t.Context(), "olga@willow.example", cast.Password, practice.Browser{})
	if err != nil {
		t.Fatal(err)
	}
	s.Sessions["Olga"] = token
	s.as("Olga").get(mailQueuePath+"/"+ids["Ann"]).want(http.StatusOK, "is forgotten a year after", "250 ok")
	s.as("Olga").get("/clients/"+s.Ann.PublicID).want(http.StatusOK, "Abbott")
}
