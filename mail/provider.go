package mail

// Provider is what is known of a mail provider's relay, so that whoever sets up mail need not look it up.
type Provider struct {
	Name, Title       string // in settings, and on the screen
	Host              string
	Port              int
	Security          Security
	OAuth             bool     // signs in with XOAUTH2
	TokenURL, Scope   string   // for that, where the provider has it; TENANT in it is for the practice to fill in
	PerMinute, PerDay int      // letters; 0: no limit known
	Note              string   // what to do, in plain sentences
	SPF               string   // what the SPF record of the sender's own domain includes; empty: it needs nothing, or the provider shows it
	DKIMSelectors     []string // those it signs with by itself; empty: the provider shows them
}

// ProviderNamed finds a provider by its name in settings.
func ProviderNamed(name string) (Provider, bool) {
	for _, p := range Providers {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// Providers are the presets, in the order in which a screen lists them: where practices have their mailboxes first, then who
// only sends. What they say was looked up in November 2026; limits are those of a usual paid account and can be changed.
var Providers = []Provider{
	{
		Name: "google", Title: "Google Workspace", Host: "smtp.gmail.com", Port: 587, Security: StartTLS,
		TokenURL: "https://oauth2.googleapis.com/token", Scope: "https://mail.google.com/", PerDay: 2000,
		Note: "The user name is the full address of the mailbox that sends. The password is an app password: turn on 2-Step Verification for that mailbox, then make one at myaccount.google.com/apppasswords. " +
			"In the Admin console, turn on DKIM under Apps, Google Workspace, Gmail, Authenticate email, and publish the record it shows; your domain's SPF record needs include:_spf.google.com.",
		SPF: "_spf.google.com", DKIMSelectors: []string{"google"},
	},
	{
		Name: "google-relay", Title: "Google Workspace, SMTP relay service", Host: "smtp-relay.gmail.com", Port: 587, Security: StartTLS,
		TokenURL: "https://oauth2.googleapis.com/token", Scope: "https://mail.google.com/", PerDay: 10000,
		Note: "For a practice that needs more than the 2,000 letters a day of a mailbox. An administrator turns it on in the Admin console under Apps, Google Workspace, Gmail, Routing, SMTP relay service: require both SMTP authentication and TLS there. " +
			"Sign in as for Google Workspace, with the mailbox's address and an app password; SPF and DKIM are the same too.",
		SPF: "_spf.google.com", DKIMSelectors: []string{"google"},
	},
	{
		Name: "microsoft", Title: "Microsoft 365", Host: "smtp.office365.com", Port: 587, Security: StartTLS, OAuth: true,
		TokenURL: "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token", Scope: "https://outlook.office365.com/.default",
		PerMinute: 30, PerDay: 10000,
		Note: "Sign in with OAuth: Microsoft is ending passwords for sending mail. In the Entra admin center, register an application, give it the application permission SMTP.SendAsApp of Office 365 Exchange Online with an administrator's consent, make a client secret, and write your tenant ID in the token address. " +
			"In Exchange Online PowerShell, add the application as a service principal with rights to the mailbox, and turn on Authenticated SMTP for that mailbox. " +
			"Turn on DKIM for your domain in the Defender portal; its SPF record needs include:spf.protection.outlook.com.",
		SPF: "spf.protection.outlook.com", DKIMSelectors: []string{"selector1", "selector2"},
	},
	{
		Name: "fastmail", Title: "Fastmail", Host: "smtp.fastmail.com", Port: 465, Security: ImplicitTLS,
		Note: "The user name is your Fastmail login address. The password is an app password that may use SMTP: make one under Settings, Privacy & Security. " +
			"Where Fastmail doesn't run your DNS, publish the SPF record and the three DKIM records that it shows for your domain.",
		SPF: "spf.messagingengine.com", DKIMSelectors: []string{"fm1", "fm2", "fm3"},
	},
	{
		Name: "zoho", Title: "Zoho Mail", Host: "smtppro.zoho.com", Port: 465, Security: ImplicitTLS,
		Note: "The user name is the full address of the mailbox that sends; with two-factor sign-in, the password is an application-specific one from accounts.zoho.com. " +
			"Accounts kept in Europe or India have a server name of their own, such as smtppro.zoho.eu or smtppro.zoho.in. " +
			"The admin console shows the SPF and DKIM records for your region under Domains, Email Configuration.",
		DKIMSelectors: []string{"zmail"},
	},
	{
		Name: "icloud", Title: "iCloud Mail with an own domain", Host: "smtp.mail.me.com", Port: 587, Security: StartTLS, PerDay: 1000,
		Note: "The user name is your iCloud Mail address, also when the practice's own domain sends. The password is an app-specific password from account.apple.com. " +
			"Publish the SPF and DKIM records that iCloud shows when you add the domain.",
		SPF: "icloud.com", DKIMSelectors: []string{"sig1"},
	},
	{
		Name: "proton", Title: "Proton Mail", Host: "smtp.protonmail.ch", Port: 587, Security: StartTLS,
		Note: "This needs a paid plan with an own domain. The user name is an address of that domain, and the password an SMTP token for it: make one in Proton Mail's settings under IMAP/SMTP. " +
			"Publish the SPF record and the three DKIM records that Proton shows under Domain names.",
		SPF: "_spf.protonmail.ch", DKIMSelectors: []string{"protonmail", "protonmail2", "protonmail3"},
	},
	{
		Name: "ses", Title: "Amazon SES", Host: "email-smtp.us-east-1.amazonaws.com", Port: 587, Security: StartTLS,
		Note: "The server name holds your region: change us-east-1 if yours is another. User name and password are SMTP credentials, which the SES console makes under SMTP settings; access keys don't work here. " +
			"Verify your domain there and publish the three DKIM records it shows. A new account may only write to verified addresses: ask for production access first.",
	},
	{
		Name: "postmark", Title: "Postmark", Host: "smtp.postmarkapp.com", Port: 587, Security: StartTLS,
		Note: "User name and password are both the server API token, which stands under API Tokens of your Postmark server. " +
			"Add your domain under Sender Signatures and publish the DKIM and Return-Path records it shows; the SPF record needs nothing. A new account is reviewed before it may write to others.",
	},
	{
		Name: "mailgun", Title: "Mailgun", Host: "smtp.mailgun.org", Port: 587, Security: StartTLS,
		Note: "Add your domain and make SMTP credentials in its settings: the user name is a full address there. A domain kept in Europe uses smtp.eu.mailgun.org. " +
			"Publish the SPF and DKIM records that Mailgun shows for the domain; the practice's letters must come from that very domain.",
		SPF: "mailgun.org",
	},
	{
		Name: "sendgrid", Title: "Twilio SendGrid", Host: "smtp.sendgrid.net", Port: 587, Security: StartTLS,
		Note: "The user name is the word apikey, and the password an API key that may send mail. " +
			"Authenticate your domain under Settings, Sender Authentication, and publish the records it shows: they cover SPF and DKIM. Turn off click tracking there, or links in the letters will lead through SendGrid first.",
		DKIMSelectors: []string{"s1", "s2"},
	},
	{
		Name: "brevo", Title: "Brevo", Host: "smtp-relay.brevo.com", Port: 587, Security: StartTLS, PerDay: 300,
		Note: "User name and password are the login and an SMTP key from Settings, SMTP & API; an API key doesn't work here. The free plan takes 300 letters a day: change the limit if yours takes more. " +
			"Authenticate your domain there and publish the DKIM record it shows, or Brevo replaces the sender's address; the SPF record needs nothing.",
	},
}
