package mail

import (
	"cmp"
	"strings"
	"testing"
)

// Replies as they are met: of Gmail, Outlook, Yahoo, Postfix, Exim and others, with made-up names.
func TestExplain(t *testing.T) {
	const (
		nobody  = "This mailbox doesn't exist."
		noSuch  = "The mail server has no such mailbox."
		full    = "The client's mailbox is full."
		off     = "The client's mailbox is switched off."
		host    = "What stands after the @ doesn't exist, or takes no mail."
		proof   = "The client's mail provider can't tell that the letter really comes from the practice's domain."
		unloved = "The client's mail provider takes the letter, or our mail server, for unwanted mail."
		later   = "The client's mail server asks us to come back later. Many do so with senders they don't know yet."
		moment  = "The mail server couldn't take the letter at that moment."
		rule    = "The mail server refused the letter by one of its rules, and doesn't say which."
		large   = "The letter is larger than the client's mail server takes."
		signIn  = "Our mail server doesn't let us sign in."
		limit   = "The practice's mail account has sent all it may send for now."
		slower  = "The mail server takes no more letters from us for a while."
		no      = "The mail server refused the letter."
	)
	for _, c := range []struct{ reply, want string }{
		{"250 2.0.0 OK 1732560000 a1-20020a05 - gsmtp", "The mail server took the letter."},
		// Gmail
		{"550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. - gsmtp", nobody},
		{"550 5.2.1 The email account that you tried to reach is disabled. For more information, go to https://support.google.com/mail/?p=DisabledUser - gsmtp", off},
		{"550 5.2.1 The email account that you tried to reach is inactive. - gsmtp", off},
		{"552 5.2.2 The recipient's inbox is out of storage space. - gsmtp", full},
		{"452 4.2.2 The recipient's inbox is out of storage space. - gsmtp", full},
		{"450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. - gsmtp", "The client's mailbox takes no letters at the moment."},
		{"552 5.3.4 Your message exceeded Google's message size limits. - gsmtp", large},
		{"550 5.4.5 Daily user sending limit exceeded. - gsmtp", limit},
		{"550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM. - gsmtp", proof},
		{"550 5.7.27 This mail has been blocked because SPF = [harbor.example] with ip: [192.0.2.1] = Did not pass - gsmtp", proof},
		{"421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your SPF domain. - gsmtp", slower},
		{"421 4.7.0 Our system has detected an unusual rate of mail from your IP address - gsmtp", slower},
		{"550 5.7.1 Our system has detected that this message is likely unsolicited mail. - gsmtp", unloved},
		{"421 4.3.0 Temporary System Problem. Try again later (10). - gsmtp", later},
		{"535 5.7.8 Username and Password not accepted. - gsmtp", signIn},
		// Microsoft
		{"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", nobody},
		{"550 5.4.1 Recipient address rejected: Access denied. [PROD.OUTLOOK.COM]", "The client's mail server takes no letters for this address."},
		{"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", noSuch},
		{"550 5.1.8 Access denied, bad outbound sender AS(42004)", "Our mail server doesn't let us send from the practice's address."},
		{"554 5.2.252 SendAsDenied; hello@harbor.example not allowed to send as desk@harbor.example", "Our mail server doesn't let us send from the practice's address."},
		{"550 5.7.60 SMTP; Client does not have permissions to send as this sender", "Our mail server doesn't let us send from the practice's address."},
		{"550 5.7.509 Access denied, sending domain harbor.example does not pass DMARC verification", proof},
		{"550 5.7.515 Access denied, sending domain harbor.example doesn't meet the required authentication level.", proof},
		{"550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).", unloved},
		{"550 5.7.705 Service unavailable. Access denied, tenant has exceeded threshold", "The mail provider has blocked the practice's account or domain from sending."},
		{"550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", "This mailbox takes letters from certain senders only."},
		{"554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "At the client's mail provider, letters to this address go round in circles."},
		{"550 5.4.310 DNS domain gmial.example does not exist", host},
		{"432 4.3.2 Concurrent connections limit exceeded.", moment},
		{"550 5.7.30 Basic authentication is not supported for Client Submission.", "Our mail server doesn't send this letter for us."},
		{"530 5.7.57 Client not authenticated to send mail.", signIn},
		// Yahoo
		{"554 delivery error: dd This user doesn't have a yahoo.com account (ann@yahoo.com) [0]", noSuch},
		{"554 5.7.9 Message not accepted for policy reasons. See https://senders.yahooinc.com/error-codes", rule},
		{"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", slower},
		{"552 1 Requested mail action aborted, mailbox is full", full},
		// Apple
		{"552 5.2.2 <ann@icloud.com>: user is over quota (in reply to RCPT TO command)", full},
		// Postfix
		{"550 5.1.1 <ann@mail.example>: Recipient address rejected: User unknown in virtual mailbox table", nobody},
		{"550 5.1.2 <ann@mial.example>: Recipient address rejected: Domain not found", host},
		{"501 5.1.3 Bad recipient address syntax", "The mail server can't read this address."},
		{"450 4.1.1 <ann@mail.example>: Recipient address rejected: unverified address: connect timed out", "The client's mail server can't say yet whether this mailbox exists."},
		{"450 4.2.0 <ann@mail.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/mail.example.html", later},
		{"451 4.7.1 Greylisting in action, please come back later", later},
		{"454 4.7.1 <ann@mail.example>: Relay access denied", "Our mail server doesn't send this letter for us."},
		{"554 5.7.1 <ann@mail.example>: Relay access denied", "Our mail server doesn't send this letter for us."},
		{"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", unloved},
		{"550 5.7.23 <ann@mail.example>: Recipient address rejected: Message rejected due to: SPF fail - not authorized.", proof},
		{"556 5.1.10 <ann@nomail.example>: Recipient address rejected: Domain nomail.example does not accept mail (nullMX)", "What stands after the @ takes no mail at all."},
		{"451 4.3.0 <ann@mail.example>: Temporary lookup failure", moment},
		{"452 4.3.1 Insufficient system storage", moment},
		// Exim and cPanel
		{"550 Unrouteable address", noSuch},
		{"550 No Such User Here", noSuch},
		{"550 5.1.1 No such user here", nobody},
		{"550 relay not permitted", "Our mail server doesn't send this letter for us."},
		{"552 mailbox full", full},
		{"552 Message size exceeds maximum permitted", large},
		{"451 Temporary local problem - please try later", moment},
		{"550 Administrative prohibition", rule},
		{"550 JunkMail rejected - mail.harbor.example is in an RBL", unloved},
		// Codes alone
		{"550", no}, {"554 5.0.0 no", no}, {"450", moment}, {"421 4.4.2 timeout", moment}, {"550 5.2.3 no", large}, {"550 5.4.4 no", host}, {"550 5.1.6 no", "The client's mailbox has moved to another address."},
		{"503 5.5.1 Bad sequence of commands", "The mail servers didn't understand each other."},
		{"Remote server returned: 5.1.1 (bad destination mailbox address)", nobody},
		// What we keep in the place of a reply
		{"The mail server put it off for five days: 451 4.7.1 Greylisted", later},
		{"No clear reply came after the letter: it does not answer", "The letter was sent, and no clear answer came: it may have arrived, or not."},
		{"It was sent three times, and whether it arrived is not known: No clear reply came after the letter: EOF", "The letter was sent, and no clear answer came: it may have arrived, or not."},
		{"The connection to the mail server broke: EOF", "The connection broke before the letter was handed over."},
		{"The letter has 2550 KB, and the mail server takes no more than 550 KB.", "The letter is larger than our mail server takes."},
		{"The mail server refused our user name and password: 535 5.7.8 no", signIn},
		{"It waited for more than five days.", "The letter couldn't be handed over."},
		{"", "The letter couldn't be handed over."},
		{"bounced by 5.1.1.7 after 550 seconds", "The letter couldn't be handed over."},
	} {
		meaning, advice := Explain(c.reply)
		if meaning != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.reply, meaning, c.want)
		}
		if !strings.HasSuffix(advice, ".") {
			t.Errorf("%s: %q is no sentence", c.reply, advice)
		}
	}
}

func TestExplanationsAreSentences(t *testing.T) {
	for _, e := range explanations {
		for _, s := range []string{e.meaning, e.advice, cmp.Or(e.test, e.advice)} {
			if !strings.HasSuffix(s, ".") || strings.ToUpper(s[:1]) != s[:1] || strings.Contains(s, "SMTP") {
				t.Errorf("%q", s)
			}
		}
	}
}

// Whoever tests the settings is told which of them to look at, and nothing of clients.
func TestExplainTest(t *testing.T) {
	const (
		startTLS    = "The mail server can't be reached: it does not answer"
		couldntMeet = "We couldn't reach smtp.example at port 2699."
		signIn      = "Our mail server doesn't let us sign in."
		unsafe      = "The connection isn't safe, so nothing was sent."
	)
	for _, c := range []struct {
		security        Security
		outcome         Outcome
		reply           string
		meaning, advice string // its beginning
		words           string
	}{
		{StartTLS, NotSent, "The mail server can't be reached: nobody listens at that port", couldntMeet, "Check the server's name and the port.", ""},
		{StartTLS, NotSent, startTLS, couldntMeet, "Check the server's name and the port. If they are right, try “TLS from the start”.", ""},
		{ImplicitTLS, NotSent, startTLS, couldntMeet, "Check the server's name and the port.", ""},
		{StartTLS, NotSent, "The mail server can't be reached: 554 5.7.1 go away", "smtp.example answered at port 2699, and takes no letters from us now.", asItCame, "554 5.7.1 go away"},
		{StartTLS, NotSent, "What answers at smtp.example:2699 isn't a mail server, or expects", "What answers at smtp.example, port 2699, isn't a mail server, or expects encryption from the start.", "Try “TLS from the start”", ""},
		{StartTLS, NotSent, insecure + noSTARTTLS, unsafe, "Try “TLS from the start”", ""},
		{ImplicitTLS, NotSent, insecure + noTLS + "; try STARTTLS, or another port", unsafe, "Try “STARTTLS”", ""},
		{StartTLS, NotSent, insecure + "its certificate is not for smtp.example", unsafe, "Check the server's name: its certificate", ""},
		{StartTLS, NotSent, "The mail server refused our user name and password: 535 5.7.8 no", signIn, checkSignIn, "535 5.7.8 no"},
		{StartTLS, NotSent, "The mail server offers no way to sign in with a password.", signIn, checkSignIn, ""},
		{StartTLS, NotSent, unwelcome + "550 5.1.8 bad sender", "Our mail server doesn't let us send from the practice's address.", checkFrom, "550 5.1.8 bad sender"},
		{StartTLS, NotSent, unwelcome + "553 sorry", "The mail server takes no letters from the From address.", checkFrom, "553 sorry"},
		{StartTLS, NotSent, "", "The mail server didn't answer in time, so the test was ended.", "Check its name and port.", ""},
		{StartTLS, Rejected, "554 5.7.1 <ann@mail.example>: Relay access denied", "Our mail server doesn't send this letter for us.", checkSignIn, "554 5.7.1 <ann@mail.example>: Relay access denied"},
		{StartTLS, Rejected, "552 5.2.2 full", "Your own mailbox is full.", "Check the address that the test went to.", "552 5.2.2 full"},
		{StartTLS, Deferred, "451 4.7.1 Greylisted", "Your own mail server asks us to come back later.", "Try again in some minutes.", "451 4.7.1 Greylisted"},
		{StartTLS, Uncertain, "No clear reply came after the letter: EOF", "The letter was sent, and no clear answer came", "Look whether it arrived", ""},
	} {
		r := Result{Outcome: c.outcome, Reply: c.reply}
		if c.outcome == NotSent && c.reply != "" {
			r = Result{Trouble: &Trouble{Reason: c.reply}}
		}
		meaning, advice := ExplainTest(Settings{Host: "smtp.example", Port: 2699, Security: c.security}, r)
		if !strings.HasPrefix(meaning, c.meaning) || !strings.HasPrefix(advice, c.advice) || Words(c.reply) != c.words {
			t.Errorf("%s\n got %q, %q, %q\nwant %q, %q, %q", c.reply, meaning, advice, Words(c.reply), c.meaning, c.advice, c.words)
		}
	}
	for _, reply := range []string{"535 5.7.8 no", "The mail server doesn't know our client id."} {
		if _, advice := ExplainTest(Settings{OAuth: &OAuth{}}, Result{Trouble: &Trouble{Reason: reply}}); !strings.Contains(advice, "client secret") {
			t.Errorf("%s: %q", reply, advice)
		}
	}
	for _, e := range explanations {
		if strings.Contains(e.test, "Organization") || strings.Contains(e.test+yours.Replace(e.meaning), "client") {
			t.Errorf("%q, %q is for another page", e.meaning, e.test)
		}
	}
}
