// Every reply of the SMTP server, in one table, and how a reply becomes octets. What a client sent is echoed
// only through here: printable ASCII, never more than 512 octets a line (RFC 5321 4.5.3.1.5). Callers: the
// session and what it is made of.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace smtpd {

struct Reply {
  int code = 0;
  std::string_view enhanced;  ///< RFC 3463; empty where RFC 2034 wants none (greeting, EHLO, 334, 354)
  std::string_view text;
};

/// A reply whose words are made at run time: the reason for a refusal.
struct Refusal {
  int code = 0;
  std::string_view enhanced;
  std::string text;
  Refusal(int c, std::string_view e, std::string t) : code(c), enhanced(e), text(std::move(t)) {}
  Refusal(const Reply& r) : code(r.code), enhanced(r.enhanced), text(r.text) {}  // NOLINT: meant to convert
  [[nodiscard]] bool permanent() const { return code >= 500; }
  [[nodiscard]] bool operator==(const Refusal&) const = default;
};

namespace replies {

inline constexpr Reply kOk{250, "2.0.0", "Ok"};
inline constexpr Reply kSenderOk{250, "2.1.0", "Sender ok"};
inline constexpr Reply kRecipientOk{250, "2.1.5", "Recipient ok"};
inline constexpr Reply kBye{221, "2.0.0", "Closing connection"};
inline constexpr Reply kStartData{354, "", "Send the message, end with CRLF.CRLF"};
inline constexpr Reply kStartTls{220, "2.0.0", "Ready to start TLS"};
inline constexpr Reply kCannotVerify{252, "2.0.0", "Cannot verify, but a message will be tried"};
inline constexpr Reply kAuthenticated{235, "2.7.0", "Authenticated"};

// Syntax and order
inline constexpr Reply kUnknownCommand{500, "5.5.1", "Command not recognized"};
inline constexpr Reply kNotBuilt{502, "5.5.1", "Command not implemented"};
inline constexpr Reply kLineTooLong{500, "5.5.2", "Line too long"};
inline constexpr Reply kAuthLineTooLong{500, "5.5.6", "Authentication line too long"};
inline constexpr Reply kBareLineEnd{500, "5.5.2", "A line ends with CR LF, and neither may stand alone"};
inline constexpr Reply kControl{501, "5.5.2", "Control characters are not allowed here"};
inline constexpr Reply kNoArguments{501, "5.5.4", "This command takes no argument"};
inline constexpr Reply kBadHelo{501, "5.5.4", "Syntax: EHLO hostname"};
inline constexpr Reply kMailSyntax{501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]"};
inline constexpr Reply kRcptSyntax{501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]"};
inline constexpr Reply kStartSyntax{501, "5.5.4", "Syntax: ETRN domain, or ETRN @domain"};
inline constexpr Reply kNoNamedQueues{501, "5.5.4", "There are no queues with names here"};
inline constexpr Reply kVrfySyntax{501, "5.5.4", "Syntax: VRFY address"};
inline constexpr Reply kBdatSyntax{501, "5.5.4", "Syntax: BDAT octets [LAST]"};
inline constexpr Reply kBadParameter{501, "5.5.4", "A parameter is malformed or given twice"};
inline constexpr Reply kUnknownParameter{555, "5.5.4", "A parameter is not recognized"};
inline constexpr Reply kNeedHelo{503, "5.5.1", "Send EHLO first"};
inline constexpr Reply kNeedMail{503, "5.5.1", "Send MAIL first"};
inline constexpr Reply kNestedMail{503, "5.5.1", "A sender is given already"};
inline constexpr Reply kNoRecipients{554, "5.5.1", "No valid recipients"};
inline constexpr Reply kWithinMail{503, "5.5.1", "Not while a message is under way"};
inline constexpr Reply kInChunks{503, "5.5.1", "The message has begun with BDAT"};

// TLS and authentication
inline constexpr Reply kNeedTls{530, "5.7.0", "Send STARTTLS first"};
inline constexpr Reply kNeedAuth{530, "5.7.0", "Authentication required"};
inline constexpr Reply kNoTls{454, "4.7.0", "TLS is not available"};
inline constexpr Reply kTlsAlready{503, "5.5.1", "TLS is active already"};
inline constexpr Reply kAuthNotHere{503, "5.5.1", "Authentication is not possible now"};
inline constexpr Reply kAuthNeedsTls{538, "5.7.11", "Authentication needs TLS: send STARTTLS first"};
inline constexpr Reply kAuthMechanism{504, "5.5.4", "Authentication mechanism not supported"};
inline constexpr Reply kAuthSyntax{501, "5.5.2", "Malformed authentication data"};
inline constexpr Reply kAuthCancelled{501, "5.7.0", "Authentication cancelled"};
inline constexpr Reply kAuthDenied{535, "5.7.8", "Authentication failed"};
inline constexpr Reply kAuthLocked{535, "5.7.8", "This account is locked"};
inline constexpr Reply kAuthNotFrom{535, "5.7.8", "This account may not be used from your host"};
inline constexpr Reply kAuthUnavailable{454, "4.7.0", "Authentication is not available now, try again"};

// Addresses and policy
inline constexpr Reply kNeedUtf8{553, "5.6.7", "The address needs SMTPUTF8"};
inline constexpr Reply kNeedDomain{553, "5.1.3", "The address needs a domain"};
inline constexpr Reply kNullRecipient{553, "5.1.3", "The empty path is no recipient"};
inline constexpr Reply kUnknownUser{550, "5.1.1", "No such user here"};
inline constexpr Reply kRelayDenied{550, "5.7.1", "Relaying denied"};
inline constexpr Reply kMailboxFull{452, "4.2.2", "The mailbox is full"};
inline constexpr Reply kMailboxFullForGood{552, "5.2.2", "The mailbox is full"};
inline constexpr Reply kNotYourAddress{550, "5.7.1", "You may not send from this address"};
inline constexpr Reply kNotYourFrom{550, "5.7.1", "You may not send with this From field"};
inline constexpr Reply kAccountGone{550, "5.7.1", "Your account is locked or was removed"};

// Content
inline constexpr Reply kTooLarge{552, "5.3.4", "The message is larger than is accepted here"};
inline constexpr Reply kBareInContent{554, "5.6.0", "The message holds a CR or LF that stands alone"};
inline constexpr Reply kNulInContent{554, "5.6.0", "The message holds an octet zero"};
inline constexpr Reply kHeaderTooLarge{552, "5.6.0", "The message header is too large"};
inline constexpr Reply kLoop{554, "5.4.6", "Too many Received fields: a mail loop"};

// Ourselves
inline constexpr Reply kUnavailable{451, "4.3.0", "Temporary local problem, try again later"};
inline constexpr Reply kNoSpace{452, "4.3.1", "No space to store the message, try again later"};
inline constexpr Reply kStopping{421, "4.3.2", "The system is going down"};
inline constexpr Reply kTooBusy{421, "4.3.2", "Too many sessions, try again later"};

// Limits
inline constexpr Reply kTooManyFromYou{421, "4.7.0", "Too many sessions from your address"};
inline constexpr Reply kTooEarly{421, "4.7.0", "You spoke before the greeting"};
inline constexpr Reply kTooManyErrors{421, "4.7.0", "Too many errors"};
inline constexpr Reply kTooManyUnknown{421, "4.7.0", "Too many unknown recipients"};
inline constexpr Reply kTooManyIdle{421, "4.7.0", "Too many commands without a message"};
inline constexpr Reply kTooManyRecipients{452, "4.5.3", "Too many recipients"};
inline constexpr Reply kSenderOverLimit{452, "4.7.1", "Too many recipients in this time, try again later"};
inline constexpr Reply kTooManyMessages{452, "4.5.3", "Too many messages in this session"};
inline constexpr Reply kTimeout{421, "4.4.2", "You took too long"};
inline constexpr Reply kNotHttp{521, "5.5.1", "This is a mail server"};
inline constexpr Reply kOutOfStep{421, "4.7.0", "Chunks cannot be told from commands any more"};

}  // namespace replies

/// One line with its CRLF. With `about`, an address say: "250 2.1.5 <about>: text".
void append_reply(std::string& out, int code, std::string_view enhanced, std::string_view text,
                  std::string_view about = {});
void append_reply(std::string& out, const Reply& r, std::string_view about = {});
void append_reply(std::string& out, const Refusal& r, std::string_view about = {});
/// A reply of several lines, without enhanced codes (EHLO).
void append_lines(std::string& out, int code, std::span<const std::string> lines);

}  // namespace smtpd
