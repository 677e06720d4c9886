package handlers

// route is one URL: nothing else mounts a handler.
type route struct {
	method   string
	path     string
	audience audience
}

// routes is every URL of the site, and who may open it.
func (s *Site) routes() []route {
	return []route{
		{"GET", "/", s.anyone(s.home)},
		{"GET", "/healthz", s.anyone(s.health)},
		{"GET", "/static/*", s.anyone(s.asset)},

		// Signing in and out
		{"GET", "/sign-in", s.anyone(s.signInPage)},
		{"POST", "/sign-in", s.anyone(s.signIn)},
		{"POST", "/sign-out", s.anyone(s.signOut)},

		// Clients

		// Drafts: compose, preview, send
		{"POST", "/clients/:id/drafts", s.staff(s.startClientDraft)},
		{"GET", "/drafts/:id", s.staff(s.composeDraft)},
		{"POST", "/drafts/:id", s.staff(s.saveDraft)},
		{"GET", "/drafts/:id/preview", s.staff(s.previewDraft)},
		{"GET", "/drafts/:id/letter", s.staff(s.previewLetter)},
		{"POST", "/drafts/:id/message", s.staff(s.changeMessage)},
		{"POST", "/drafts/:id/send", s.staff(s.sendDraft)},
		{"GET", "/drafts/:id/sent", s.staff(s.sentDraft)},

		// Forms that clients completed

		// Organization
		{"GET", "/organization/settings", s.administrator(s.settings)},
		{"POST", "/organization/settings", s.administrator(s.saveSettings)},
		{"GET", "/organization/client-portal", s.administrator(s.clientPortal)},
		{"GET", "/organization/client-portal/settings", s.administrator(s.portalSettings)},
		{"POST", "/organization/client-portal/settings", s.administrator(s.savePortalSettings)},

		// The client's portal

		// The demo's mailbox
		{"GET", "/demo/mailbox", s.anyone(s.mailbox)},
		{"GET", "/demo/mailbox/:id", s.anyone(s.mailbox)},
		{"GET", "/demo/mailbox/:id/letter", s.anyone(s.mailboxLetter)},
	}
}
