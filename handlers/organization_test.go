package handlers

import (
	"net/http"
	"strings"
	"testing"
)

func TestSettingsKeepWhatIsTyped(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	const path = "/organization/settings"
	page := olga.get(path).want(http.StatusOK, "Address")
	version, _ := page.doc.Find("input[name=version]").Attr("value")
	fields := []string{"name", "Willow Street", "phone", "555-0100", "address", "12 Willow Street\r\nSpringfield", "time_zone"}
	a := olga.post(path, append(fields, "Mars/Base", "version", version)...).wantError("time_zone", "Choose a time zone")
	if text := a.text("#address"); text != "12 Willow Street Springfield" {
		t.Errorf("the address typed is now %q", text)
	}
	olga.follow(olga.post(path, append(fields, "America/New_York", "version", version)...)).want(http.StatusOK, "Saved.")
	s.as("Mia").get("/portal").want(http.StatusOK, "Springfield", "555-0100")

	// An older page may not overwrite it unseen; saving again may.
	again := []string{"name", "Willow Street", "phone", "555-0199", "address", "", "time_zone", "America/New_York", "version"}
	a = olga.post(path, append(again, version)...).want(http.StatusUnprocessableEntity, "Somebody else changed these settings meanwhile.", "phone “555-0100”")
	if v, _ := a.doc.Find("#phone").Attr("value"); v != "555-0199" {
		t.Errorf("the phone typed is now %q", v)
	}
	version, _ = a.doc.Find("input[name=version]").Attr("value")
	olga.post(path, append(again, version)...).wantTo(path)

	const portal = "/organization/client-portal/settings"
	version, _ = olga.get(portal).doc.Find("input[name=version]").Attr("value")
	olga.post(portal, "invitation_days", "5", "crisis", "Call 988.", "version", version).wantTo(portal)
	for _, path := range []string{portal, remindersPath} {
		olga.get(path).want(http.StatusOK, "works for 5 days, so the reminder after 6 days isn't sent.")
	}
	olga.post(portal, "invitation_days", "6", "crisis", "Call 988.", "version", version).want(http.StatusUnprocessableEntity, "days an invitation's link works “5”")
}

func TestDefaultMessagePages(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	olga.get(messagesPath).want(http.StatusOK, "Invitation", "Message to clients who have an account", "The original text")
	const path = messagesPath + "/invitation"
	page := olga.get(path).want(http.StatusOK, "Available Placeholders", "Intake forms")
	version, _ := page.doc.Find("input[name=version]").Attr("value")
	a := olga.post(path, "invitation.subject", "Welcome", "invitation.body", "Dear {who}", "version", version)
	a.wantError("invitation-body", "There is no placeholder {who}.")
	if text := a.text("#invitation-body"); text != "Dear {who}" {
		t.Errorf("the message typed is now %q", text)
	}
	olga.follow(olga.post(path, "invitation.subject", "Welcome", "invitation.body", "Dear {client_first_name}", "version", version)).
		want(http.StatusOK, "New invitations and messages start with it.", "Your practice's own text")
	if frame := olga.get(path+"/letter").want(http.StatusOK, "Dear Alexandra"); frame.header.Get("Content-Security-Policy") == "" {
		t.Error("the framed mail has no policy of its own")
	}
	olga.post(path, "invitation.subject", "Hi", "invitation.body", "Hi", "version", version).want(http.StatusUnprocessableEntity, "Somebody else changed these settings meanwhile.", "subject “Welcome”")
	if text := olga.get(path+"?text=original").want(http.StatusOK, "takes effect when you save it").text("#invitation-body"); text == "Dear {client_first_name}" {
		t.Error("the original text isn't shown")
	}
	olga.get(path).want(http.StatusOK, "Dear {client_first_name}", "Restore the original text")
	olga.get(messagesPath + "/postcard").want(http.StatusNotFound)

	const spanish = path + "?language=es"
	page = olga.get(spanish).want(http.StatusOK, "Invitation, in Spanish", "Clients whose language is Spanish")
	if page.doc.Find("input[name=form_key]").Length() != 0 {
		t.Error("forms can be ticked beside the Spanish text")
	}
	version, _ = page.doc.Find("input[name=version]").Attr("value")
	olga.follow(olga.post(spanish, "invitation.subject", "Bienvenida", "invitation.body", "Hola, {client_first_name}", "version", version)).
		want(http.StatusOK, "Bienvenida", "Welcome")
	olga.get(path+"/letter?language=es").want(http.StatusOK, "Hola, Alexandra", "Este correo no era para mí")
	if text := olga.get(spanish+"&text=original").want(http.StatusOK, "takes effect").text("#invitation-body"); !strings.Contains(text, "Al abrirlo") {
		t.Errorf("the original Spanish text is %q", text)
	}
	olga.get(path + "?language=tlh").want(http.StatusNotFound)
	olga.get(placeholdersPath).want(http.StatusOK, "{client_preferred_name}", "Alex", "In invitations only")
	s.as("Tom").get(messagesPath).want(http.StatusForbidden)
}

func TestPortalTurnedOff(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, mia := s.as("Olga"), s.as("Mia")
	const access = "/organization/client-portal/access"
	olga.get("/organization/client-portal/settings").want(http.StatusOK, "Turn off the client portal")
	olga.get(access).want(http.StatusOK, "2 clients who have an account are signed out", "0 invitations that are open", "0 letters to clients wait")
	olga.follow(olga.post(access, "turn", "off")).want(http.StatusOK, "The client portal is turned off for all clients.", "letters to them wait", "Turn on the client portal")

	mia.get("/portal").want(http.StatusServiceUnavailable, "The client portal is closed for now", "Call us.", "555-0100", "call 988 now")
	mia.htmx().post("/portal/forms/x").want(http.StatusNoContent)
	s.as("").post("/sign-in", "email", s.Mia.Email.String(), "password", "a quiet place to wait").want(http.StatusServiceUnavailable, "closed for now")
	s.as("Tom").get("/portal").want(http.StatusNotFound)
	draft := s.olgasDraft(s.Ann)
	if page := olga.get(draft + "/preview"); page.doc.Find("button[disabled]").Length() != 1 || page.text("#closed") == "" {
		t.Error("the button that sends doesn't say why it can't")
	}
	olga.post(draft+"/send").want(http.StatusUnprocessableEntity, "so nothing can be sent now")

	olga.follow(olga.post(access, "turn", "on")).want(http.StatusOK, "The client portal is turned on.")
	mia.get("/portal").want(http.StatusSeeOther)
}
