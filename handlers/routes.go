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

		// Forms that clients completed

		// Organization

		// The client's portal

		// The demo's mailbox
	}
}
