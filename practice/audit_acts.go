package practice

import "anteroom/db"

// AuditKind is what kind of thing was done, in the words of the audit log's screen.
type AuditKind string

const (
	KindSignIns  AuditKind = "Sign-ins and refusals"
	KindClients  AuditKind = "Clients' records"
	KindForms    AuditKind = "Forms and answers"
	KindLetters  AuditKind = "Invitations and letters"
	KindStaff    AuditKind = "Staff and permissions"
	KindSettings AuditKind = "Settings and keys"
	KindFiles    AuditKind = "Exports and imports"
)

// AuditKinds are all of them, in the order in which they are offered.
var AuditKinds = []AuditKind{KindSignIns, KindClients, KindForms, KindLetters, KindStaff, KindSettings, KindFiles}

// doer is who did something, where the log knows of nobody.
type doer string

const (
	theProgram     doer = "Anteroom"
	somebody       doer = "Somebody unknown"
	whoeverHostsIt doer = "Whoever runs the server"
)

// actWords is how one act is told.
type actWords struct {
	kind    AuditKind
	story   string // what follows its doer's name where it was done to a client: {client}, and {detail} unless that is to follow
	own     string // the same where it was done to nobody, or by clients themselves; empty: the act as it is
	here    string // the same on the client's own page; empty: the act as it is
	unnamed doer   // who did it, where the log knows of nobody; empty: the program
}

// acts are all that is ever done, and how it is told. A test finds those that the source has.
var acts = map[db.Act]actWords{
	"signed in":                        {kind: KindSignIns, own: "signed in {detail}"},
	"signed out":                       {kind: KindSignIns},
	"failed to sign in":                {kind: KindSignIns, own: "failed to sign in {detail}", unnamed: somebody},
	"signed out at another browser":    {kind: KindSignIns},
	"signed out everywhere else":       {kind: KindSignIns},
	"signed out everywhere":            {kind: KindSignIns},
	"changed their password":           {kind: KindSignIns},
	refused:                            {kind: KindSignIns, own: "was refused: {detail}"},
	refusedOften:                       {kind: KindSignIns},
	hidStrangers:                       {kind: KindSignIns},
	"gave a wrong password":            {kind: KindSignIns},
	"gave the right password":          {kind: KindSignIns, own: "gave the right password, and still owed the second step"},
	"confirmed who they are":           {kind: KindSignIns, own: "confirmed who they are {detail}"},
	"gave a wrong code":                {kind: KindSignIns},
	"set up an authenticator app":      {kind: KindSignIns},
	"added a passkey":                  {kind: KindSignIns},
	"renamed a passkey":                {kind: KindSignIns},
	"removed a passkey":                {kind: KindSignIns},
	"gave a passkey that wasn't taken": {kind: KindSignIns, own: "gave a passkey that wasn't taken {detail}"},
	failedOften:                        {kind: KindSignIns},
	toldOfWrongCodes:                   {kind: KindSignIns},
	"removed the authenticator app":    {kind: KindSignIns},
	"made new recovery codes":          {kind: KindSignIns},
	"chose a password":                 {kind: KindSignIns},
	"chose a new password":             {kind: KindSignIns},
	"joined the client portal":         {kind: KindSignIns},
	"confirmed the new email address":  {kind: KindSignIns},
	"asked for a new password":         {kind: KindSignIns, unnamed: somebody, story: "asked for a new password for {client}", own: "asked for a new password {detail}"},
	"asked for a new password or link": {kind: KindSignIns, unnamed: somebody},

	opened:                             {kind: KindClients, story: "opened the record of {client}"},
	"added the client":                 {kind: KindClients, story: "added {client} as a client", unnamed: whoeverHostsIt},
	"changed the client":               {kind: KindClients, story: "changed the record of {client}"},
	"imported the client":              {kind: KindClients, story: "imported {client} from a list", unnamed: whoeverHostsIt},
	"archived the client":              {kind: KindClients, story: "archived {client}"},
	"restored the client":              {kind: KindClients, story: "restored {client}"},
	"released the address":             {kind: KindClients, story: "released the address of {client}"},
	deletedData:                        {kind: KindClients, story: "deleted the data of {client}", unnamed: whoeverHostsIt},
	assignedClient:                     {kind: KindClients, story: "assigned {client} to {detail}", here: "assigned the client to {detail}"},
	tookClient:                         {kind: KindClients, story: "took {client} from {detail}", here: "took the client from {detail}"},
	"removed the client's second step": {kind: KindClients, story: "removed the second step of {client}"},
	"withdrew the new address":         {kind: KindClients, story: "withdrew the new address of {client}"},

	"updated the client from a list":                         {kind: KindClients, story: "updated {client} from a list", unnamed: whoeverHostsIt},
	"gave the client another email address, to be confirmed": {kind: KindClients, story: "gave {client} another email address, to be confirmed"},
	"asked for another email address":                        {kind: KindClients},
	"noted that mail to the address bounced":                 {kind: KindClients, story: "noted that mail to the address of {client} bounced"},
	"noted that mail reaches the address again":              {kind: KindClients, story: "noted that mail reaches the address of {client} again"},
	"heard from whoever reads this address that our mail isn't meant for them": {kind: KindClients,
		story: "heard from whoever reads the address of {client} that our mail isn't meant for them"},
	"gave up the new address: whoever reads it said that our mail isn't meant for them": {kind: KindClients,
		story: "gave up the new address of {client}: whoever reads it said that our mail isn't meant for them"},
	"signed the client out everywhere": {kind: KindClients, story: "signed {client} out everywhere"},
	"turned portal access on":          {kind: KindClients, story: "turned portal access on for {client}"},
	"turned portal access off":         {kind: KindClients, story: "turned portal access off for {client}"},

	"opened the form":         {kind: KindForms},
	"began the form":          {kind: KindForms},
	"submitted the form":      {kind: KindForms},
	"read the completed form": {kind: KindForms, story: "read the completed form of {client}"},
	downloaded:                {kind: KindForms, story: "downloaded the completed form of {client}"},
	reviewed:                  {kind: KindForms, story: "reviewed the completed form of {client}"},
	"revoked a form":          {kind: KindForms, story: "revoked a form of {client}"},

	"invited to the client portal":                   {kind: KindLetters, story: "invited {client} to the client portal", here: "invited the client to the client portal"},
	"sent a message about forms":                     {kind: KindLetters, story: "sent {client} a message", here: "sent the client a message"},
	"sent the invitation again":                      {kind: KindLetters, story: "sent {client} the invitation again"},
	"sent the message about forms again":             {kind: KindLetters, story: "sent {client} the message about forms again"},
	"sent a new link to join":                        {kind: KindLetters, story: "sent {client} a new link to join"},
	"revoked the invitation":                         {kind: KindLetters, story: "revoked the invitation of {client}"},
	"sent a reminder":                                {kind: KindLetters, story: "sent {client} a reminder {detail}", here: "sent a reminder {detail}"},
	"turned reminders on":                            {kind: KindLetters, story: "turned reminders on for {client}"},
	"turned reminders off":                           {kind: KindLetters, story: "turned reminders off for {client}"},
	"opened a letter":                                {kind: KindLetters, story: "opened a letter to {client}"},
	"sent a letter again":                            {kind: KindLetters, story: "sent a letter to {client} again"},
	"took a letter back":                             {kind: KindLetters, story: "took back a letter to {client}"},
	"paused the outbox":                              {kind: KindLetters},
	"resumed the outbox":                             {kind: KindLetters},
	"had a test letter sent to themselves":           {kind: KindLetters},
	"sent the link to confirm the new address again": {kind: KindLetters, story: "sent {client} the link to confirm the new address again"},

	"added a staff member":                      {kind: KindStaff},
	"added an administrator":                    {kind: KindStaff, unnamed: whoeverHostsIt},
	"changed a staff member":                    {kind: KindStaff},
	"changed a staff member's email address":    {kind: KindStaff},
	"disabled a staff member":                   {kind: KindStaff},
	"enabled a staff member":                    {kind: KindStaff},
	"removed the second step of a staff member": {kind: KindStaff},
	"signed a staff member out everywhere":      {kind: KindStaff},
	"sent a link to choose a password":          {kind: KindStaff, own: "sent a link to choose a password {detail}"},

	"set up the organization":                     {kind: KindSettings},
	"changed the organization's settings":         {kind: KindSettings},
	"changed the client portal's settings":        {kind: KindSettings},
	"turned the client portal on":                 {kind: KindSettings},
	"turned the client portal off":                {kind: KindSettings},
	"required a second step of staff":             {kind: KindSettings},
	"no longer required a second step of staff":   {kind: KindSettings},
	"required a second step of clients":           {kind: KindSettings},
	"no longer required a second step of clients": {kind: KindSettings},
	"changed the logo":                            {kind: KindSettings},
	"removed the logo":                            {kind: KindSettings},
	"changed the reminders":                       {kind: KindSettings},
	"changed the mail settings":                   {kind: KindSettings},
	"forgot the mail settings":                    {kind: KindSettings},
	"saved the default message":                   {kind: KindSettings},
	"saved the default message and intake forms":  {kind: KindSettings},
	"rotated the key":                             {kind: KindSettings, own: "rotated the key {detail}", unnamed: whoeverHostsIt},
	"retired a key":                               {kind: KindSettings, own: "retired {detail}"},
	openedAudit:                                   {kind: KindSettings},
	checkedAudit:                                  {kind: KindSettings},

	"exported the clients":             {kind: KindFiles},
	"exported portal states and forms": {kind: KindFiles},
	"exported the completed forms":     {kind: KindFiles},
	"exported the list of invitations": {kind: KindFiles},
	exportedAudit:                      {kind: KindFiles, story: "exported the audit log of {client}"},
	"brought a list of clients":        {kind: KindFiles},
	"imported a list of clients":       {kind: KindFiles, unnamed: whoeverHostsIt},
}
