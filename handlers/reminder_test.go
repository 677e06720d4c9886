package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/db"
)

func TestReminderSettingsPage(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	shows := func(a answer, days, from, until string) {
		t.Helper()
		chosen := func(name string) string { return a.doc.Find("select[name=" + name + "] option[selected]").Text() }
		if got := a.doc.Find("input[name=invitation_days]").AttrOr("value", ""); got != days || chosen("quiet_from") != from || chosen("quiet_until") != until {
			t.Errorf("days %q, quiet from %q until %q; want %q, %q, %q", got, chosen("quiet_from"), chosen("quiet_until"), days, from, until)
		}
	}
	page := olga.get(remindersPath).want(200, "Days after the sending")
	shows(page, "3, 6", "8 PM", "8 AM")
	version := page.doc.Find("input[name=version]").AttrOr("value", "")
	fields := func(days, from string) []string {
		return []string{"version", version, "reminders", "off", "invitation_days", days, "forms_days", "9", "forms_times", "2", "quiet_from", from, "quiet_until", "0"}
	}
	wrong := olga.post(remindersPath, fields("6, 3", "nine")...).want(http.StatusUnprocessableEntity).
		wantError("invitation_days", "Put the days in order, each once, such as 3, 6.").wantError("quiet_from", "Choose an hour.")
	shows(wrong, "6, 3", "", "Midnight")
	if off := wrong.doc.Find("select[name=reminders] option[selected]").Text(); off != "No" {
		t.Errorf("what was chosen is lost: %q", off)
	}
	saved := olga.follow(olga.post(remindersPath, fields("2,4", "21")...)).want(200, "Saved.")
	shows(saved, "2, 4", "9 PM", "Midnight")
	stale := olga.post(remindersPath, fields("3", "21")...).want(http.StatusUnprocessableEntity, "Somebody else changed these settings meanwhile", "2, 4")
	shows(stale, "3", "9 PM", "Midnight")
	olga.post(remindersPath, append(fields("3", "21"), "version", stale.doc.Find("input[name=version]").AttrOr("value", ""))[2:]...).wantTo(remindersPath)
}

func TestReminderMessagesAreChangedLikeTheOthers(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	all := olga.get(messagesPath).want(200, "Reminder of an invitation", "Reminder of unfinished forms, in Spanish")
	if all.doc.Find(`a[href="`+messagesPath+`/forms-reminder?language=es"]`).Length() != 1 {
		t.Error("the Spanish reminder can't be changed")
	}
	const path = messagesPath + "/invitation-reminder"
	page := olga.get(path).want(200, "Anteroom sends this by itself", "{link_expires_on}")
	if page.doc.Find("input[name=form_key]").Length() != 0 {
		t.Error("forms can be ticked beside a reminder")
	}
	olga.get(path+"/letter").want(200, "Join Client Portal")
	olga.get(messagesPath+"/forms-reminder/letter").want(200, "Sign in")
	olga.post(path, "invitation-reminder.subject", "Once more", "invitation-reminder.body", "{nonsense}").want(http.StatusUnprocessableEntity, "There is no placeholder {nonsense}")
	olga.follow(olga.post(path, "invitation-reminder.subject", "Once more", "invitation-reminder.body", "Hello, {portal_link}", "form_key", "intake")).want(200, "Once more", "Reminders say this from now on.")
	olga.get(messagesPath + "/forms-reminder").want(200)
	olga.post(messagesPath+"/forms-reminder", "forms-reminder.subject", "x", "forms-reminder.body", "{link_expires_on}").want(http.StatusUnprocessableEntity, "invitations only")
}

func TestClientsPageTellsOfReminders(t *testing.T) {
	s := newSite(t)
	s.library()
	s.as("Olga").post("/drafts/"+strings.TrimPrefix(s.olgasDraft(s.Ann), "/drafts/")+"/send", "previewed", "")
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(9, time.Minute)
		for _, l := range claimed {
			err = tx.SettleLetter(db.Settlement{Letter: l, State: db.LetterAccepted})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const next = "Thu, Nov 5 (about 10 AM)"
	tom := s.as("Tom")
	path := "/clients/" + s.Ann.PublicID
	tom.get(path).want(200, next, "Turn off reminders")
	tom.follow(tom.post(path+"/reminders", "turn", "off")).want(200, "Reminders are turned off for this client.", "None. They are turned off for this client.", "Turn on reminders")
	tom.follow(tom.post(path+"/reminders", "turn", "on")).want(200, next)
	if page := s.as("Finn").get(path).want(200, next); strings.Contains(page.body, "Turn off reminders") {
		t.Error("Finn is offered what he may not do")
	}
	s.as("Finn").post(path+"/reminders", "turn", "off").want(http.StatusForbidden)
}
