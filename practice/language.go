package practice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"anteroom/db"

	"golang.org/x/text/language"
)

// Language is one that our mails are written in. Every word of a mail that no author wrote stands in the table below.
type Language struct {
	Tag  string // BCP 47, as a mail names it
	Key  string // of its default messages; empty: they are the practice's own
	Name string // in English, as the office reads it

	messages        map[db.MessageKind]db.Message // the defaults until an administrator saves others
	buttons         map[db.MessageKind]string     // the words on the link's button
	newPassword     accountMessage
	newAddress      accountMessage
	addressAsked    accountMessage
	addressReleased accountMessage
	notices         map[notice]accountMessage

	sentBy, why   string // the footer's lines; {sender_name} and {practice_name} are filled in
	notMeant      string // the words on the link below them
	yourTherapist string // for a client who has none
	and           func(next string) string
	day           func(time.Time) string
	minute        func(time.Time) string // a day and a time of day
	browser       func(words string) string
}

// languages is the one table of them. The first is for everybody whose own is not among them.
var languages = []Language{
	{
		Tag: "en", Name: "English",
		messages: map[db.MessageKind]db.Message{
			db.InvitationMessage: {
				Subject: "{practice_name}: your client portal",
				Body: `Hello {client_preferred_name},

{practice_name} invites you to its client portal. It is a private place to read and fill in the paperwork before your first visit, at your own pace and on any device.

{portal_link}

The link is yours alone and works until {link_expires_on}. You will choose a password, and your forms will be waiting.

If you have questions, call us at {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.FormsMessage: {
				Subject: "{practice_name}: your forms are ready",
				Body: `Hello {client_preferred_name},

{practice_name} has placed forms in your client portal. Sign in with the password you chose, and they will be waiting.

{portal_link}

If you have questions, call us at {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.InvitationReminderMessage: {
				Subject: "{practice_name}: your invitation is waiting",
				Body: `Hello {client_preferred_name},

A few days ago {practice_name} invited you to its client portal. There is no hurry: this is only a reminder, in case that mail got lost among others.

{portal_link}

It is the same link as before. It is yours alone and works until {link_expires_on}.

If something is in the way, call us at {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.FormsReminderMessage: {
				Subject: "{practice_name}: a reminder",
				Body: `Hello {client_preferred_name},

Something is still waiting for you in the client portal of {practice_name}. What you have entered so far is saved, and you can go on where you stopped.

{portal_link}

If something is unclear, call us at {practice_phone}. If you have just finished, thank you: there is nothing more to do.

{sender_name}
{practice_name}`,
			},
		},
		buttons: map[db.MessageKind]string{db.InvitationMessage: "Join Client Portal", db.FormsMessage: "Sign in"},
		newPassword: newAccountMessage("{practice_name}: choose a new password", `Hello,

Somebody, most likely you, asked for a new password for your account at {practice_name}.

{portal_link}

The link works until {link_expires_on}. If you didn't ask, there is nothing to do: your password stays as it is.`, "Choose a new password", ""),
		newAddress: newAccountMessage("{practice_name}: confirm your email address", `Hello,

This address was given to {practice_name} as the new one for your account. Confirm it, and you sign in with it from then on.

{portal_link}

The link works until {link_expires_on}. If you don't know what this is about, there is nothing to do: nothing changes.`, "Confirm this address",
			"You get this mail because this address was given to {practice_name}."),
		addressAsked: newAccountMessage("{practice_name}: another email address for your account", `Hello,

Another email address was given for your account at {practice_name}. Until it is confirmed, you sign in with this one.

If this wasn't you, or you don't expect it, please call us.`, "", ""),
		addressReleased: newAccountMessage("{practice_name}: your account was closed", `Hello,

The account at {practice_name} that you signed in to with this email address was closed, and the address was taken off our records.

If you don't expect this, please call us.`, "", "You get this mail because you had an account at {practice_name} with this address."),
		notices: map[notice]accountMessage{
			newDevice: newAccountMessage("{practice_name}: a new sign-in to your account", `Hello,

Somebody, most likely you, signed in to your account at {practice_name} in a browser that hadn't been used for it before.

When: {notice_time}

Browser: {notice_browser}

If it was you, there is nothing to do. If it wasn't, choose a new password now: that ends every other sign-in. Then please tell us.

{portal_link}`, "Choose a new password", ""),
			passwordChanged: newAccountMessage("{practice_name}: your password was changed", `Hello,

The password of your account at {practice_name} was changed.

When: {notice_time}

Browser: {notice_browser}

If it was you, there is nothing to do. If it wasn't, choose a new one now: that ends every other sign-in. Then please tell us.

{portal_link}`, "Choose a new password", ""),
			stepAdded: newAccountMessage("{practice_name}: a second step for your account", `Hello,

A second step for signing in was added to your account at {practice_name}, besides your password.

When: {notice_time}

Browser: {notice_browser}

If it was you, there is nothing to do. If it wasn't, choose a new password now: that ends every other sign-in. Then please tell us.

{portal_link}`, "Choose a new password", ""),
			stepRemoved: newAccountMessage("{practice_name}: a second step was removed", `Hello,

A second step for signing in was removed from your account at {practice_name}.

When: {notice_time}

Browser: {notice_browser}

If you did this, or asked us to, there is nothing to do. If you don't know why, choose a new password now: that ends every other sign-in. Then please tell us.

{portal_link}`, "Choose a new password", ""),
			codesUsedUp: newAccountMessage("{practice_name}: your last recovery code was used", `Hello,

The last recovery code of your account at {practice_name} was used to sign in.

When: {notice_time}

Browser: {notice_browser}

If it was you, make new codes soon: without one, whoever loses the second step can't sign in. If it wasn't, choose a new password now: that ends every other sign-in. Then please tell us.

{portal_link}`, "Choose a new password", ""),
			wrongCodes: newAccountMessage("{practice_name}: a sign-in that stopped at the second step", `Hello,

Somebody gave the right password of your account at {practice_name}, and then several wrong codes. They did not get in.

When: {notice_time}

Browser: {notice_browser}

If it was you, try again in 15 minutes. If it wasn't, somebody knows your password: choose a new one now. Then please tell us.

{portal_link}`, "Choose a new password", ""),
		},
		sentBy:        "{sender_name} sent you this for {practice_name}.",
		why:           "You get this mail because {practice_name} has this address on file for you.",
		notMeant:      "This wasn't meant for me",
		yourTherapist: "your therapist",
		and:           func(string) string { return " and " },
		day:           func(t time.Time) string { return t.Format("Monday, January 2, 2006") },
		minute:        func(t time.Time) string { return t.Format("Monday, January 2, 2006, 3:04 PM") },
		browser:       func(words string) string { return cmp.Or(words, UnknownBrowser) },
	},
	{
		Tag: "es", Key: "es", Name: "Spanish",
		messages: map[db.MessageKind]db.Message{
			db.InvitationMessage: {
				Subject: "{practice_name}: su portal para clientes",
				Body: `Hola, {client_preferred_name}:

{practice_name} le invita a su portal para clientes. Es un lugar privado donde puede leer y completar los documentos antes de su primera visita, a su ritmo y desde cualquier dispositivo.

{portal_link}

El enlace es solo para usted y funciona hasta el {link_expires_on}. Al abrirlo elegirá una contraseña, y allí le esperan sus formularios.

Si tiene alguna pregunta, llámenos al {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.FormsMessage: {
				Subject: "{practice_name}: sus formularios están listos",
				Body: `Hola, {client_preferred_name}:

{practice_name} ha puesto formularios en su portal para clientes. Inicie sesión con la contraseña que eligió, y allí los encontrará.

{portal_link}

Si tiene alguna pregunta, llámenos al {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.InvitationReminderMessage: {
				Subject: "{practice_name}: su invitación le espera",
				Body: `Hola, {client_preferred_name}:

Hace unos días, {practice_name} le invitó a su portal para clientes. No hay prisa: este es solo un recordatorio, por si aquel correo se perdió entre otros.

{portal_link}

Es el mismo enlace de antes. Es solo para usted y funciona hasta el {link_expires_on}.

Si hay algún problema, llámenos al {practice_phone}.

{sender_name}
{practice_name}`,
			},
			db.FormsReminderMessage: {
				Subject: "{practice_name}: un recordatorio",
				Body: `Hola, {client_preferred_name}:

Todavía hay algo que le espera en el portal para clientes de {practice_name}. Lo que ya completó está guardado, y puede seguir donde lo dejó.

{portal_link}

Si algo no está claro, llámenos al {practice_phone}. Si acaba de terminar, muchas gracias: no tiene que hacer nada más.

{sender_name}
{practice_name}`,
			},
		},
		buttons: map[db.MessageKind]string{db.InvitationMessage: "Entrar al portal", db.FormsMessage: "Iniciar sesión"},
		newPassword: newAccountMessage("{practice_name}: elija una contraseña nueva", `Hola:

Alguien, probablemente usted, pidió una contraseña nueva para su cuenta en {practice_name}.

{portal_link}

El enlace funciona hasta el {link_expires_on}. Si no la pidió, no tiene que hacer nada: su contraseña sigue siendo la misma.`, "Elegir una contraseña nueva", ""),
		newAddress: newAccountMessage("{practice_name}: confirme su dirección de correo", `Hola:

{practice_name} recibió esta dirección como la nueva para su cuenta. Confírmela y, desde entonces, iniciará sesión con ella.

{portal_link}

El enlace funciona hasta el {link_expires_on}. Si no sabe de qué se trata, no tiene que hacer nada: no cambia nada.`, "Confirmar esta dirección",
			"Recibe este correo porque {practice_name} recibió esta dirección."),
		addressAsked: newAccountMessage("{practice_name}: otra dirección de correo para su cuenta", `Hola:

Se indicó otra dirección de correo para su cuenta en {practice_name}. Hasta que se confirme, usted inicia sesión con esta.

Si no fue usted, o no lo esperaba, por favor llámenos.`, "", ""),
		addressReleased: newAccountMessage("{practice_name}: se cerró su cuenta", `Hola:

Se cerró la cuenta en {practice_name} en la que usted iniciaba sesión con esta dirección de correo, y la dirección se quitó de nuestros registros.

Si no lo esperaba, por favor llámenos.`, "", "Recibe este correo porque tenía una cuenta en {practice_name} con esta dirección."),
		notices: map[notice]accountMessage{
			newDevice: newAccountMessage("{practice_name}: un nuevo inicio de sesión en su cuenta", `Hola:

Alguien, probablemente usted, inició sesión en su cuenta en {practice_name} con un navegador que no se había usado antes para ella.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si fue usted, no tiene que hacer nada. Si no, elija ahora una contraseña nueva: así se cierran todas las demás sesiones. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
			passwordChanged: newAccountMessage("{practice_name}: se cambió su contraseña", `Hola:

Se cambió la contraseña de su cuenta en {practice_name}.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si fue usted, no tiene que hacer nada. Si no, elija ahora una nueva: así se cierran todas las demás sesiones. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
			stepAdded: newAccountMessage("{practice_name}: un segundo paso para su cuenta", `Hola:

Se añadió a su cuenta en {practice_name} un segundo paso para iniciar sesión, además de su contraseña.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si fue usted, no tiene que hacer nada. Si no, elija ahora una contraseña nueva: así se cierran todas las demás sesiones. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
			stepRemoved: newAccountMessage("{practice_name}: se quitó un segundo paso", `Hola:

Se quitó de su cuenta en {practice_name} un segundo paso para iniciar sesión.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si lo hizo usted, o nos lo pidió, no tiene que hacer nada. Si no sabe por qué, elija ahora una contraseña nueva: así se cierran todas las demás sesiones. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
			codesUsedUp: newAccountMessage("{practice_name}: se usó su último código de recuperación", `Hola:

Se usó el último código de recuperación de su cuenta en {practice_name} para iniciar sesión.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si fue usted, cree pronto códigos nuevos: sin ellos, quien pierde el segundo paso no puede iniciar sesión. Si no, elija ahora una contraseña nueva: así se cierran todas las demás sesiones. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
			wrongCodes: newAccountMessage("{practice_name}: un inicio de sesión se detuvo en el segundo paso", `Hola:

Alguien escribió la contraseña correcta de su cuenta en {practice_name} y después varios códigos equivocados. No pudo entrar.

Cuándo: {notice_time}

Navegador: {notice_browser}

Si fue usted, inténtelo de nuevo dentro de 15 minutos. Si no, alguien conoce su contraseña: elija ahora una nueva. Después, por favor avísenos.

{portal_link}`, "Elegir una contraseña nueva", ""),
		},
		sentBy:        "{sender_name} le envió este correo en nombre de {practice_name}.",
		why:           "Recibe este correo porque {practice_name} tiene registrada esta dirección para usted.",
		notMeant:      "Este correo no era para mí",
		yourTherapist: "su terapeuta",
		and:           spanishAnd,
		day:           spanishDay,
		minute:        func(t time.Time) string { return spanishDay(t) + ", " + spanishClock(t) },
		browser:       spanishBrowser,
	},
}

// languageOf is the one in which a client reads our words: their own, or else the first.
func languageOf(c db.Client) Language {
	if t, err := language.Parse(c.Language); err == nil {
		base, _ := t.Base()
		for _, l := range languages {
			if l.Tag == base.String() {
				return l
			}
		}
	}
	return languages[0]
}

// languageByKey is the language that default messages of a key are in.
func languageByKey(key string) (Language, bool) {
	i := slices.IndexFunc(languages, func(l Language) bool { return l.Key == key })
	if i < 0 {
		return Language{}, false
	}
	return languages[i], true
}

// join lists names as a sentence does.
func (l Language) join(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + l.and(names[last]) + names[last]
}

// line fills in a line of the footer.
func (l Language) line(words, practice, sender string) string {
	return strings.NewReplacer("{practice_name}", practice, "{sender_name}", sender).Replace(words)
}

// spanishAnd is "e" before a name that sounds like the word itself.
func spanishAnd(next string) string {
	next = db.SearchFold(next)
	if strings.HasPrefix(next, "i") || strings.HasPrefix(next, "hi") && !strings.HasPrefix(next, "hia") && !strings.HasPrefix(next, "hie") {
		return " e "
	}
	return " y "
}

var (
	spanishDays   = []string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"}
	spanishMonths = []string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}
)

func spanishDay(t time.Time) string {
	return fmt.Sprintf("%s, %d de %s de %d", spanishDays[t.Weekday()], t.Day(), spanishMonths[t.Month()-1], t.Year())
}

func spanishClock(t time.Time) string {
	half := "a. m."
	if t.Hour() >= 12 {
		half = "p. m."
	}
	return t.Format("3:04 ") + half
}

// UnknownBrowser is a browser that doesn't say what it is.
const UnknownBrowser = "A browser that doesn't say which"

// practicesBrowser is where somebody else did what a person is told of.
const practicesBrowser = "A browser of the practice"

// spanishBrowser says in Spanish what a browser calls itself. Names stay as they are.
func spanishBrowser(words string) string {
	if words == "" {
		return "Un navegador que no dice cuál es"
	}
	return strings.NewReplacer("A browser", "Un navegador", " on ", " en ", " of the practice", " de la consulta").Replace(words)
}
