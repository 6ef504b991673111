// The messages of wwwd with accounts, queue and story: lib/messages.h goes on here, because only those four
// need them. wwwd has no right of its own. Each question carries the token of whoever asks and where he asks
// from; accounts looks the session up, renews its time, and answers as that account may. What changes
// something carries the session's seal as well (the anti-forgery token of its pages), and accounts compares
// it. So a wwwd that was taken over can do what those can who are logged in through it, and no more.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "lib/messages.h"

namespace po::messages {

/// Who asks. In every frame of wwwd but WebLogIn.
struct WebCaller {
  std::string token;  ///< as the cookie has it; empty: nobody
  NetAddress client;  ///< the token is good for this IPv4 address or IPv6 /64 alone
  std::string seal;   ///< of the page that was sent back; only for what changes something
  auto fields() { return std::tie(token, client, seal); }
};

/// What became of the question as such, before what was asked is looked at.
enum class WebStanding : std::uint8_t {
  kGood,
  kNobody,      ///< no such session, or its time is over, or it belongs to another address: log in (again)
  kNotAllowed,  ///< logged in, but this is not for this account
  kForged,      ///< the seal is not this session's: nothing was done
  kUnavailable  ///< accounts cannot look: the databases cannot be read, or too much is waiting
};

/// A field of a form with its values, by the form's declaration (lib/form/forms.h).
struct WebField {
  std::string name;
  std::vector<std::string> values;
  auto fields() { return std::tie(name, values); }
};

/// Why a form was refused: stands beside the field.
struct WebProblem {
  std::string field;  ///< empty: the form as a whole
  std::string value;  ///< as given; never a password
  std::string rule;   ///< what would be right
  auto fields() { return std::tie(field, value, rule); }
};

/// One change of a form. Values of passwords never stand here: "(changed)" does.
struct WebRevision {
  std::uint64_t revision = 0;  ///< the directory's generation of this change; larger is later
  std::int64_t at = 0;         ///< seconds since 1970
  std::string who;             ///< "Postmaster", "jane@podunk.edu", "root", "uid 1000"
  std::string from;            ///< "192.0.2.1", or empty where there is no network in it
  std::string way;             ///< "web", "command", "import", "undo of 17"
  struct Line {
    std::string field;
    std::vector<std::string> before, after;
    /// The lists are long: `before` has only what went, `after` only what came, and of these lists that are
    /// still long the first values, with how many were left off.
    bool moved_alone = false;
    std::uint32_t before_left = 0, after_left = 0;
    auto fields() { return std::tie(field, before, after, moved_alone, before_left, after_left); }
  };
  std::vector<Line> lines;
  bool can_undo = false;
  auto fields() { return std::tie(revision, at, who, from, way, lines, can_undo); }
};

// ---- wwwd > accounts: sessions

/// wwwd > accounts: is this password right? Answer: WebLoggedIn. 8 KiB.
struct WebLogIn {
  static constexpr std::uint16_t kType = 100;
  static constexpr std::uint32_t kMax = 8 * 1024;
  std::string login;  ///< any address of the account, its POP login name, or "Postmaster"
  std::string password;
  NetAddress client;
  std::string client_name;  ///< as in Authenticate
  bool name_looked_up = false;
  std::string session;  ///< of the log
  auto fields() { return std::tie(login, password, client, client_name, name_looked_up, session); }
};

/// accounts > wwwd. 4 KiB.
struct WebLoggedIn {
  static constexpr std::uint16_t kType = 101;
  static constexpr std::uint32_t kMax = 4 * 1024;
  Answer answer = Answer::kUnavailable;
  std::string token;              ///< granted only: 43 characters of base64url
  std::uint32_t retry_after = 0;  ///< seconds
  auto fields() { return std::tie(answer, token, retry_after); }
};

/// wwwd > accounts: who is it? Asked for every page, so it renews the idle time. Answer: WebSession. 1 KiB.
struct WebLook {
  static constexpr std::uint16_t kType = 102;
  static constexpr std::uint32_t kMax = 1024;
  WebCaller caller;
  auto fields() { return std::tie(caller); }
};

/// accounts > wwwd. 4 KiB.
struct WebSession {
  static constexpr std::uint16_t kType = 103;
  static constexpr std::uint32_t kMax = 4 * 1024;
  WebStanding standing = WebStanding::kNobody;
  std::uint64_t account = 0;
  std::string address;             ///< primary address of the account
  std::string name;                ///< User's-Real-Name
  bool postmaster = false;         ///< may do everything
  std::string seal;                ///< to be put into the forms of its pages
  std::uint32_t idle_seconds = 0;  ///< Web-Idle-Limit: from now on, if nothing more is asked
  auto fields() { return std::tie(standing, account, address, name, postmaster, seal, idle_seconds); }
};

/// wwwd > accounts: the session is over. Answer: WebDone. 1 KiB.
struct WebLogOut {
  static constexpr std::uint16_t kType = 104;
  static constexpr std::uint32_t kMax = 1024;
  WebCaller caller;
  auto fields() { return std::tie(caller); }
};

/// accounts > wwwd: the answer to everything that changes something. 16 MiB.
struct WebDone {
  static constexpr std::uint16_t kType = 105;
  static constexpr std::uint32_t kMax = kMaxFrame;
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;                ///< one sentence: what was done, or why not
  std::uint64_t subject = 0;       ///< the account that was made or changed
  std::uint64_t revision = 0;      ///< of the form, now
  bool conflict = false;           ///< refused because the form was changed since `revision` of the question
  std::vector<WebRevision> since;  ///< conflict: the changes since then, newest first, at most some 4 MiB
  std::vector<WebProblem> problems;  ///< refused: what is wrong
  std::vector<WebField> changes;     ///< of a check: fields that would change, with their new values
  std::string secret;                ///< the new application password, shown once
  auto fields() {
    return std::tie(standing, kind, text, subject, revision, conflict, since, problems, changes, secret);
  }
};

// ---- wwwd > accounts: forms

/// wwwd > accounts: this form, as the caller may read it. Answer: WebForm. 2 KiB.
struct WebShowForm {
  static constexpr std::uint16_t kType = 106;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::string form;  ///< "account-data"
  std::uint64_t subject =
      0;  ///< Account Data: the account's number; 0: a new one, filled from the default account
  auto fields() { return std::tie(caller, form, subject); }
};

/// accounts > wwwd. kind permanent: no such form or account. 16 MiB.
struct WebForm {
  static constexpr std::uint16_t kType = 107;
  static constexpr std::uint32_t kMax = kMaxFrame;
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;
  std::uint64_t revision = 0;  ///< to be sent back with it
  std::vector<WebField> values;
  auto fields() { return std::tie(standing, kind, text, revision, values); }
};

enum class WebSubmit : std::uint8_t {
  kCheck,  ///< say what is wrong and what would change, and change nothing
  kSet,    ///< change the form, or with subject 0 of account-data add an account
};

/// wwwd > accounts: this form, filled in. Fields that are not there stay as they are. Answer: WebDone. 16
/// MiB.
struct WebSubmitForm {
  static constexpr std::uint16_t kType = 108;
  static constexpr std::uint32_t kMax = kMaxFrame;
  WebCaller caller;
  WebSubmit what = WebSubmit::kCheck;
  std::string form;
  std::uint64_t subject = 0;
  std::uint64_t revision = 0;  ///< that was shown; if the form has another now, it is a conflict
  std::vector<WebField> values;
  auto fields() { return std::tie(caller, what, form, subject, revision, values); }
};

/// wwwd > accounts: what was changed in this form, newest first. Answer: WebHistory. 2 KiB.
struct WebAskHistory {
  static constexpr std::uint16_t kType = 109;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::string form;
  std::uint64_t subject = 0;
  std::uint64_t before = 0;  ///< revisions below this; 0: from the newest
  std::uint32_t limit = 50;  ///< at most 50
  auto fields() { return std::tie(caller, form, subject, before, limit); }
};

/// accounts > wwwd. At most as many entries as were asked for, and at most some 4 MiB of them. 16 MiB.
struct WebHistory {
  static constexpr std::uint16_t kType = 110;
  static constexpr std::uint32_t kMax = kMaxFrame;
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;
  std::vector<WebRevision> entries;
  bool more = false;
  auto fields() { return std::tie(standing, kind, text, entries, more); }
};

/// wwwd > accounts: take this change back; what was changed after it stays. Answer: WebDone. 2 KiB.
struct WebUndo {
  static constexpr std::uint16_t kType = 111;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::string form;
  std::uint64_t subject = 0;
  std::uint64_t undo = 0;  ///< the change's revision
  auto fields() { return std::tie(caller, form, subject, undo); }
};

// ---- wwwd > accounts: the list of accounts

enum class WebSort : std::uint8_t { kAddress, kName, kNumber };

/// wwwd > accounts: a page of the list of accounts. Postmaster. Answer: WebAccounts. 2 KiB.
struct WebAskAccounts {
  static constexpr std::uint16_t kType = 112;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::string search;  ///< as `account list` takes it; empty: all
  WebSort sort = WebSort::kAddress;
  bool descending = false;
  std::uint32_t offset = 0;
  std::uint32_t limit = 50;  ///< at most 500
  auto fields() { return std::tie(caller, search, sort, descending, offset, limit); }
};

/// accounts > wwwd. 1 MiB.
struct WebAccounts {
  static constexpr std::uint16_t kType = 113;
  static constexpr std::uint32_t kMax = kMiB;
  struct Row {
    std::uint64_t id = 0;
    std::string name, address;  ///< the primary one
    std::uint32_t addresses = 0;
    bool locked = false, mailbox = false, forwards = false;
    auto fields() { return std::tie(id, name, address, addresses, locked, mailbox, forwards); }
  };
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;
  std::uint64_t total = 0;  ///< that match
  std::uint64_t all = 0;    ///< on the system
  std::vector<Row> rows;
  auto fields() { return std::tie(standing, kind, text, total, all, rows); }
};

/// What becomes of the mail of an account that is removed.
enum class MailOf : std::uint8_t { kDelete, kHandOver };

/// wwwd > accounts: remove this account. Postmaster. Answer: WebDone. 2 KiB.
struct WebRemove {
  static constexpr std::uint16_t kType = 114;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::uint64_t subject = 0;
  MailOf mail = MailOf::kDelete;
  std::string to;  ///< kHandOver: an address of the account that gets it
  auto fields() { return std::tie(caller, subject, mail, to); }
};

// ---- wwwd > accounts: application passwords and sign-ins

/// wwwd > accounts: the application passwords and the last sign-ins of an account; its own, or any for a
/// Postmaster. Answer: WebAccess. 1 KiB.
struct WebAskAccess {
  static constexpr std::uint16_t kType = 115;
  static constexpr std::uint32_t kMax = 1024;
  WebCaller caller;
  std::uint64_t subject = 0;
  auto fields() { return std::tie(caller, subject); }
};

/// accounts > wwwd. 256 KiB.
struct WebAccess {
  static constexpr std::uint16_t kType = 116;
  static constexpr std::uint32_t kMax = 256 * 1024;
  struct AppPassword {
    std::uint32_t id = 0;
    std::string name;
    std::int64_t made = 0, used = 0;  ///< seconds since 1970; 0: never
    std::string used_from;
    auto fields() { return std::tie(id, name, made, used, used_from); }
  };
  struct SignIn {
    std::int64_t last = 0;  ///< seconds since 1970
    std::string service;    ///< "POP3", "submission", "web"
    std::string from;       ///< IPv4 address or IPv6 /64
    std::string by;         ///< "password", the name of an application password, or "refused: wrong password"
    std::uint32_t count = 1;
    auto fields() { return std::tie(last, service, from, by, count); }
  };
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;
  std::vector<AppPassword> passwords;
  std::vector<SignIn> sign_ins;  ///< newest first
  auto fields() { return std::tie(standing, kind, text, passwords, sign_ins); }
};

/// wwwd > accounts: make an application password with this name. Answer: WebDone with `secret`. 2 KiB.
struct WebMakePassword {
  static constexpr std::uint16_t kType = 117;
  static constexpr std::uint32_t kMax = 2 * 1024;
  WebCaller caller;
  std::uint64_t subject = 0;
  std::string name;
  auto fields() { return std::tie(caller, subject, name); }
};

/// wwwd > accounts: it is no good any more. Answer: WebDone. 1 KiB.
struct WebRevokePassword {
  static constexpr std::uint16_t kType = 118;
  static constexpr std::uint32_t kMax = 1024;
  WebCaller caller;
  std::uint64_t subject = 0;
  std::uint32_t id = 0;
  auto fields() { return std::tie(caller, subject, id); }
};

// ---- wwwd > accounts: commands and orders

/// wwwd > accounts: a command of post.office(8) that accounts runs itself ("import", "export",
/// "relay-password"). Postmaster. Input that is larger than a frame comes in several; the caller is looked at
/// in the first. Answer: CommandOutput frames, the last with `end`, each but the first when WebMoreOutput
/// asks for it; a caller who may not gets one with exit code 77. 16 MiB.
struct WebCommand {
  static constexpr std::uint16_t kType = 119;
  static constexpr std::uint32_t kMax = kMaxFrame;
  WebCaller caller;
  std::vector<std::string> words;
  std::string input;
  bool more =
      false;  ///< another WebCommand with the same serial and more input follows; its words are ignored
  auto fields() { return std::tie(caller, words, input, more); }
};

/// wwwd > accounts: what `post.office status --json` prints. Postmaster. Answer: WebStatus. 1 KiB.
struct WebAskStatus {
  static constexpr std::uint16_t kType = 120;
  static constexpr std::uint32_t kMax = 1024;
  WebCaller caller;
  auto fields() { return std::tie(caller); }
};

/// accounts > wwwd. 1 MiB.
struct WebStatus {
  static constexpr std::uint16_t kType = 121;
  static constexpr std::uint32_t kMax = kMiB;
  WebStanding standing = WebStanding::kNobody;
  Kind kind = Kind::kTemporary;
  std::string text;  ///< JSON, or why there is none
  auto fields() { return std::tie(standing, kind, text); }
};

/// wwwd > accounts: an order for queue or story (lib/order.h) with these words. A Postmaster may have any;
/// others only one for the story of their own addresses, or the state of their own mailbox. A command that
/// changes something needs the seal. Answer: WebOrder. 64 KiB.
struct WebAskOrder {
  static constexpr std::uint16_t kType = 122;
  static constexpr std::uint32_t kMax = 64 * 1024;
  WebCaller caller;
  std::vector<std::string> words;  ///< "queue", "list", "--json"
  auto fields() { return std::tie(caller, words); }
};

/// accounts > wwwd. 80 KiB.
struct WebOrder {
  static constexpr std::uint16_t kType = 123;
  static constexpr std::uint32_t kMax = 80 * 1024;
  WebStanding standing = WebStanding::kNobody;
  std::string order;  ///< opaque, good once within 30 s
  auto fields() { return std::tie(standing, order); }
};

// ---- wwwd > queue, wwwd > story

/// wwwd > queue, story: do what this order says. Answer: CommandOutput frames with this serial, the last with
/// `end`; an order that is not good gets one with exit code 77. 80 KiB.
struct CarryOut {
  static constexpr std::uint16_t kType = 124;
  static constexpr std::uint32_t kMax = 80 * 1024;
  std::string order;
  auto fields() { return std::tie(order); }
};

/// wwwd > queue, story, accounts: nobody waits for that serial any more, and of its input no more comes. To
/// accounts it is of use only for a WebCommand whose input has not ended: that is not run. No answer but what
/// is on its way. 16 octets.
struct Abandon {
  static constexpr std::uint16_t kType = 125;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

/// wwwd > accounts: the last piece of that WebCommand's output was taken, the next one may come. So what a
/// slow browser has not taken yet stays in accounts, and the pipe is free for others. Answer: CommandOutput.
/// 16 octets.
struct WebMoreOutput {
  static constexpr std::uint16_t kType = 126;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

}  // namespace po::messages

template <>
struct po::wire::valid_enum<po::messages::WebStanding> {
  static bool ok(po::messages::WebStanding v) { return v <= po::messages::WebStanding::kUnavailable; }
};
template <>
struct po::wire::valid_enum<po::messages::WebSubmit> {
  static bool ok(po::messages::WebSubmit v) { return v <= po::messages::WebSubmit::kSet; }
};
template <>
struct po::wire::valid_enum<po::messages::WebSort> {
  static bool ok(po::messages::WebSort v) { return v <= po::messages::WebSort::kNumber; }
};
template <>
struct po::wire::valid_enum<po::messages::MailOf> {
  static bool ok(po::messages::MailOf v) { return v <= po::messages::MailOf::kHandOver; }
};
