package mailbox

import (
	"errors"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// signIn is a session that takes no mail before the right password.
type signIn struct {
	*session
	done bool
}

func (s *signIn) AuthMechanisms() []string {
	if len(s.box.options.Mechanisms) > 0 {
		return s.box.options.Mechanisms
	}
	return []string{sasl.Plain}
}

func (s *signIn) Auth(mechanism string) (sasl.Server, error) {
	check := func(username, password string) error {
		if username != s.box.options.Username || password != s.box.options.Password {
			return smtp.ErrAuthFailed
		}
		s.done = true
		return nil
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, username, password string) error { return check(username, password) }), nil
	case sasl.Login:
		return &login{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *signIn) Mail(from string, o *smtp.MailOptions) error {
	if !s.done {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	return s.session.Mail(from, o)
}

// login is the server's side of AUTH LOGIN, which go-sasl lacks.
type login struct {
	check    func(username, password string) error
	username string
	asked    bool
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case !l.asked:
		l.asked, l.username = true, string(response)
		return []byte("Password:"), false, nil
	case l.username == "":
		return nil, false, errors.New("no username")
	}
	return nil, true, l.check(l.username, string(response))
}
