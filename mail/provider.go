package mail

// Provider is what is known of a mail provider's relay, so that whoever sets up mail need not look it up.
type Provider struct {
	Name, Title       string // in settings, and on the screen
	Host              string
	Port              int
	Security          Security
	OAuth             bool // signs in with XOAUTH2
	TokenURL, Scope   string
	PerMinute, PerDay int      // letters; 0: no limit known
	Note              string   // what to do, in plain sentences
	SPF               string   // what the domain's SPF record includes; empty: it needs nothing there
	DKIMSelectors     []string // that are known; empty: the provider shows them
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

// Providers are the presets, in the order in which a screen lists them.
var Providers = []Provider{
	{Name: "google", Title: "Google Workspace", Host: "smtp.gmail.com", Port: 587, Security: StartTLS, PerDay: 2000, SPF: "_spf.google.com", DKIMSelectors: []string{"google"}},
	{Name: "microsoft", Title: "Microsoft 365", Host: "smtp.office365.com", Port: 587, Security: StartTLS, OAuth: true, PerMinute: 30, PerDay: 10000, SPF: "spf.protection.outlook.com", DKIMSelectors: []string{"selector1", "selector2"}},
}
