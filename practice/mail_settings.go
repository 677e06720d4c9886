package practice

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// HostedMail is the mail relay as whoever hosts the program gave it. It comes before what an administrator sets.
type HostedMail struct {
	Relay    mail.Relay
	From     db.Email
	Source   string        // where it is set, to tell administrators
	Provider mail.Provider // without a name: the one that is known to have this relay, if any has
}

// activeMail is where letters go now, and where they come from.
type activeMail struct {
	relay    mail.Relay
	from     db.Email
	provider mail.Provider
}

// from is the address that mails come from.
func (p *Practice) from() db.Email {
	if m := p.mail.Load(); m != nil {
		return m.from
	}
	return p.config.From
}

// StartMail has letters go to the relay that the host gave, or else to the one that an administrator set, if anybody did. Letters
// that were written for another sender are set aside.
func (p *Practice) StartMail(ctx context.Context) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		m, err := p.whichMail(tx)
		if err != nil || m == nil {
			return err
		}
		_, err = p.switchMail(tx, m)
		return err
	})
}

// switchMail has letters go another way from now on, within the transaction, so that no letter is written for a sender who is
// no more. It tells how many are set aside.
func (p *Practice) switchMail(tx *db.Tx, m *activeMail) (aside int, err error) {
	if aside, err = tx.SetAsideLetters(m.from); err != nil {
		return 0, err
	}
	p.use(m)
	return aside, nil
}

// use has letters go a way from now on; nil: none.
func (p *Practice) use(m *activeMail) {
	p.mail.Store(m)
	if p.config.Outbox == nil {
		return
	}
	if m == nil {
		m = &activeMail{}
	}
	p.config.Outbox.Configure(m.relay)
}

// whichMail is nil while no relay is set, or one that can't be used here.
func (p *Practice) whichMail(tx *db.Tx) (*activeMail, error) {
	if h := p.config.Hosted; h != nil {
		provider := h.Provider
		if at := slices.IndexFunc(mail.Providers, func(p mail.Provider) bool { return p.Host == h.Relay.Settings().Host }); at >= 0 && provider.Name == "" {
			provider = mail.Providers[at]
		}
		return &activeMail{p.introduced(h.Relay), h.From, provider}, nil
	}
	s, err := tx.RelaySettings()
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, wrong := p.activate(s)
	if len(wrong) > 0 {
		return nil, nil // the page says why
	}
	return m, nil
}

// activate is what becomes of settings, or what is wrong with them.
func (p *Practice) activate(s db.RelaySettings) (*activeMail, Invalid) {
	wrong := Invalid{}
	settings := mail.Settings{Host: s.Host, Port: s.Port, Security: mail.Security(s.Security), Username: s.Username, Password: s.Secrets.Password,
		PerMinute: s.PerMinute, PerDay: s.PerDay}
	if s.TokenURL != "" {
		settings.OAuth = &mail.OAuth{TokenURL: s.TokenURL, ClientID: s.ClientID, Scope: s.Scope, ClientSecret: s.Secrets.ClientSecret, RefreshToken: s.Secrets.RefreshToken}
	}
	relay, err := mail.NewRelay(settings)
	if faults, ok := errors.AsType[mail.Faults](err); ok {
		wrong = Invalid(faults)
	} else if err != nil {
		wrong["host"] = err.Error()
	}
	if relay = p.introduced(relay); relay.Hello == "" && !isLoopback(s.Host) && wrong["host"] == "" {
		wrong["host"] = "Mails would hold links to this machine, which nobody else can open. First whoever hosts this gives its public https address, in ANTEROOM_URL."
	}
	provider, _ := mail.ProviderNamed(s.Provider)
	return &activeMail{relay, s.From, provider}, wrong
}

// introduced is a relay to which we give our public name, where we have one: some refuse whoever says localhost.
func (p *Practice) introduced(relay mail.Relay) mail.Relay {
	if public := p.config.Public.Hostname(); !isLoopback(public) {
		relay.Hello = public
	}
	return relay
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// How a mail server knows who sends.
const (
	SignInByPassword = "password"
	SignInByOAuth    = "oauth"
	SignInNever      = "none"
)

// MailFields is what is typed about the mail relay.
type MailFields struct {
	Provider  string // a preset's name; empty: another provider
	Host      string
	Port      string
	Security  string
	From      string
	SignIn    string // one of the three ways
	Username  string
	Password  string // like the other secrets: empty keeps the one on file
	TokenURL  string
	ClientID  string
	Secret    string
	Refresh   string
	Scope     string
	PerMinute string
	PerDay    string
	Version   string // of the settings that were changed; empty: whichever are on file
}

// MailSettings is how mail is set up, for the screen: no secret is in it.
type MailSettings struct {
	Hosted      string // where whoever hosts this set it; empty: an administrator may set it
	Set         bool   // a relay is
	Fault       string // why the relay that is set can't be used
	Fields      MailFields
	Provider    mail.Provider // through which mails go, where the program knows it
	HasPassword bool
	HasSecret   bool
	HasRefresh  bool
	ChangedAt   time.Time
	ChangedBy   string
}

// MailSettings tells how mail is set up.
func (p *Practice) MailSettings(ctx context.Context, by Administrator) (s MailSettings, err error) {
	if !by.administers() {
		return s, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		s, err = p.mailSettings(tx)
		return err
	})
	return s, err
}

func (p *Practice) mailSettings(tx *db.Tx) (s MailSettings, err error) {
	if h := p.config.Hosted; h != nil {
		m, err := p.whichMail(tx)
		if err != nil {
			return s, err
		}
		s = mailSettingsOf(hostedSettings(h))
		s.Hosted, s.Provider = h.Source, m.provider
		return s, nil
	}
	on, err := tx.RelaySettings()
	if errors.Is(err, db.ErrNotFound) {
		s = mailSettingsOf(db.RelaySettings{Port: 587, Security: string(mail.StartTLS)})
		s.Set, s.Fields.SignIn, s.Fields.Version = false, SignInByPassword, noMailVersion
		if !strings.HasSuffix(domainOf(p.config.From), ".invalid") {
			s.Fields.From = p.config.From.String()
		}
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s = mailSettingsOf(on)
	s.Provider, _ = mail.ProviderNamed(on.Provider)
	if _, wrong := p.activate(on); len(wrong) > 0 {
		s.Fault = wrong.Error()
	}
	member, err := tx.StaffByID(on.ChangedBy)
	s.ChangedAt, s.ChangedBy = on.ChangedAt, member.Name
	return s, err
}

// noMailVersion is the version of the settings while there are none.
const noMailVersion = "none"

func hostedSettings(h *HostedMail) db.RelaySettings {
	s := h.Relay.Settings()
	on := db.RelaySettings{Host: s.Host, Port: s.Port, Security: string(s.Security), From: h.From, Username: s.Username, PerMinute: s.PerMinute, PerDay: s.PerDay,
		Secrets: db.RelaySecrets{Password: s.Password}}
	if o := s.OAuth; o != nil {
		on.TokenURL, on.ClientID, on.Scope = o.TokenURL, o.ClientID, o.Scope
		on.Secrets = db.RelaySecrets{ClientSecret: o.ClientSecret, RefreshToken: o.RefreshToken}
	}
	return on
}

func mailSettingsOf(on db.RelaySettings) MailSettings {
	return MailSettings{Set: true, Fields: mailFieldsOf(on),
		HasPassword: on.Secrets.Password != "", HasSecret: on.Secrets.ClientSecret != "", HasRefresh: on.Secrets.RefreshToken != ""}
}

func mailFieldsOf(on db.RelaySettings) MailFields {
	f := MailFields{Provider: on.Provider, Host: on.Host, Port: strconv.Itoa(on.Port), Security: on.Security, From: on.From.String(), Username: on.Username,
		TokenURL: on.TokenURL, ClientID: on.ClientID, Scope: on.Scope, PerMinute: count(on.PerMinute), PerDay: count(on.PerDay),
		Version: settingsVersion(relaySettings(on))}
	switch {
	case on.TokenURL != "":
		f.SignIn = SignInByOAuth
	case on.Username != "":
		f.SignIn = SignInByPassword
	default:
		f.SignIn = SignInNever
	}
	return f
}

// count is a number of letters as it is typed: no limit is nothing.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Preset is the fields with what is known of a provider laid over them: what is on file of one stays when it is the same.
func (f MailFields) Preset(provider mail.Provider) MailFields {
	if provider.Name == f.Provider {
		return f
	}
	signIn := SignInByPassword
	if provider.OAuth {
		signIn = SignInByOAuth
	}
	return MailFields{Provider: provider.Name, Host: provider.Host, Port: strconv.Itoa(cmp.Or(provider.Port, 587)), Security: string(cmp.Or(provider.Security, mail.StartTLS)),
		From: f.From, SignIn: signIn, TokenURL: provider.TokenURL, Scope: provider.Scope, PerMinute: count(provider.PerMinute), PerDay: count(provider.PerDay), Version: f.Version}
}

// into is what was typed, with the secrets on file where none was typed anew. Those go nowhere but where they were given for.
func (f MailFields) into(on db.RelaySettings) (s db.RelaySettings, wrong Invalid) {
	wrong = Invalid{}
	s = db.RelaySettings{Provider: f.Provider, Host: oneLine(f.Host), Security: f.Security, Username: oneLine(f.Username),
		TokenURL: oneLine(f.TokenURL), ClientID: oneLine(f.ClientID), Scope: oneLine(f.Scope),
		Secrets: db.RelaySecrets{Password: f.Password, ClientSecret: strings.TrimSpace(f.Secret), RefreshToken: strings.TrimSpace(f.Refresh)}}
	if _, known := mail.ProviderNamed(f.Provider); f.Provider != "" && !known {
		wrong["provider"] = "Choose a provider from the list, or another provider."
	}
	var err error
	if s.From, err = db.ParseEmail(f.From); err != nil {
		wrong["from"] = "Enter the address that mails come from, such as portal@your-practice.com."
	}
	for _, number := range []struct {
		field, typed string
		to           *int
		most         int
		sentence     string
	}{
		{"port", f.Port, &s.Port, 65535, "The port is a number from 1 to 65535; most mail servers use 587 or 465."},
		{"per_minute", f.PerMinute, &s.PerMinute, maxLetters, "Enter a number of letters, or nothing for no limit."},
		{"per_day", f.PerDay, &s.PerDay, maxLetters, "Enter a number of letters, or nothing for no limit."},
	} {
		typed := strings.ReplaceAll(oneLine(number.typed), ",", "")
		n, err := strconv.Atoi(cmp.Or(typed, "0"))
		if err != nil || n < 0 || n > number.most {
			wrong[number.field] = number.sentence
			n = 0
		}
		*number.to = n
	}
	switch f.SignIn {
	case SignInByPassword:
		s.TokenURL, s.ClientID, s.Scope, s.Secrets.ClientSecret, s.Secrets.RefreshToken = "", "", "", "", ""
		if s.Username == "" {
			wrong["username"] = "Enter the user name, or choose that the mail server asks for none."
		}
		kept := f.Password == "" && on.Secrets.Password != ""
		if moved := s.Host != on.Host || s.Port != on.Port || s.Username != on.Username || s.Security != on.Security; kept && moved {
			wrong["password"] = "Type the password again: the one on file goes only to the mail server, for the user and with the encryption that it was given for."
		} else if kept {
			s.Secrets.Password = on.Secrets.Password
		}
	case SignInByOAuth:
		s.Secrets.Password = ""
		if s.TokenURL == "" {
			wrong["token_url"] = "Enter the address that gives out tokens; the provider names it."
		} else if strings.Contains(s.TokenURL, "/TENANT/") {
			wrong["token_url"] = "Put your own tenant ID in the place of TENANT."
		}
		kept := s.Secrets.ClientSecret == "" && on.Secrets.ClientSecret != "" || s.Secrets.RefreshToken == "" && on.Secrets.RefreshToken != ""
		if moved := s.TokenURL != on.TokenURL || s.ClientID != on.ClientID || s.Host != on.Host || s.Port != on.Port || s.Security != on.Security; kept && moved {
			wrong["client_secret"] = "Type the client secret and the refresh token again: those on file go only to the servers, and with the encryption, that they were given for."
		} else if kept {
			s.Secrets.ClientSecret = cmp.Or(s.Secrets.ClientSecret, on.Secrets.ClientSecret)
			s.Secrets.RefreshToken = cmp.Or(s.Secrets.RefreshToken, on.Secrets.RefreshToken)
		}
	case SignInNever:
		s.Username, s.TokenURL, s.ClientID, s.Scope, s.Secrets = "", "", "", "", db.RelaySecrets{}
	default:
		wrong["sign_in"] = "Choose how the mail server knows who sends."
	}
	return s, wrong
}

// maxLetters is the largest limit that makes sense.
const maxLetters = 1_000_000

// relaySettings are those that pages and the audit log may name with what they say; secrets aren't.
func relaySettings(s db.RelaySettings) []setting {
	return []setting{{"provider", s.Provider}, {"mail server", s.Host}, {"port", strconv.Itoa(s.Port)}, {"encryption", s.Security}, {"From address", s.From.String()},
		{"user name", s.Username}, {"token address", s.TokenURL}, {"client id", s.ClientID}, {"scope", s.Scope},
		{"letters a minute", cmp.Or(count(s.PerMinute), "no limit")}, {"letters a day", cmp.Or(count(s.PerDay), "no limit")}}
}

// ChangeMail sets the relay, and letters go there at once. It tells how many that wait for another sender are set aside. It
// returns ErrNotAllowed where whoever hosts this set one, ErrConfirm, and Invalid with a sentence for each wrong field: "provider", "host",
// "port", "security", "from", "sign_in", "username", "password", "token_url", "client_id", "client_secret", "scope",
// "per_minute", "per_day"; or for "version", that somebody else changed them meanwhile.
func (p *Practice) ChangeMail(ctx context.Context, by Administrator, f MailFields) (aside int, err error) {
	if !by.administers() || p.config.Hosted != nil {
		return 0, ErrNotAllowed
	}
	err = p.switching(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		on, err := tx.RelaySettings()
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		first := err != nil
		s, wrong := f.into(on)
		m, faults := p.activate(s)
		for field, sentence := range faults {
			if wrong[field] == "" {
				wrong[field] = sentence
			}
		}
		if len(wrong) > 0 {
			return wrong
		}
		version := f.Version
		if first && version == noMailVersion {
			version = "" // nobody else was quicker
		}
		if wrong := unseen(version, relaySettings(on), relaySettings(s)); wrong != nil {
			return wrong
		}
		changed := settingsIn(relaySettings(s), relaySettings(on))
		if s.Secrets != on.Secrets {
			changed = append(changed, setting{name: "secrets"})
		}
		if len(changed) == 0 {
			return nil
		}
		s.ChangedBy = by.member.ID
		if err := tx.SaveRelaySettings(s); err != nil {
			return err
		}
		if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "changed the mail settings", Detail: settingNames(changed)}); err != nil {
			return err
		}
		aside, err = p.switchMail(tx, m)
		return err
	})
	return aside, err
}

// switching is a transaction in which letters are sent another way; should it fail, they go as before.
func (p *Practice) switching(ctx context.Context, do func(*db.Tx) error) error {
	var before *activeMail
	began := false
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		before, began = p.mail.Load(), true // no other switches meanwhile: there is one writer
		return do(tx)
	})
	if err != nil && began && p.mail.Load() != before {
		p.use(before)
	}
	return err
}

// ForgetMail drops what an administrator set about the relay, its secrets too: letters wait from then on. It changes nothing when
// nothing is set, and returns ErrConfirm, and ErrNotAllowed where whoever hosts this set a relay.
func (p *Practice) ForgetMail(ctx context.Context, by Administrator) error {
	if !by.administers() || p.config.Hosted != nil {
		return ErrNotAllowed
	}
	err := p.switching(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		if _, err := tx.RelaySettings(); err != nil {
			return err
		}
		if err := tx.DropRelaySettings(); err != nil {
			return err
		}
		p.use(nil)
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "forgot the mail settings"})
	})
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}
