// Every message between processes of the suite, declared once. A frame on a pipe is
//     u32 length of the payload, u16 type, u16 flags (1: one descriptor rides along), u32 serial, payload
// (little-endian); the payload is the struct's fields by lib/wire.h. The asker chooses the serial, the answer
// carries the same one. Above each struct: sender > receiver, answer, whether a descriptor rides, largest
// payload. A frame of a type that the receiver does not expect from that role, over its bound, or that does
// not decode, drops the pipe it came on, not the receiver (lib/channel.h).
//
// Those of wwwd are in lib/web_messages.h. UDP notices are at the end; they carry no authority
// (lib/notice.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "lib/error.h"
#include "lib/id.h"
#include "lib/wire.h"

namespace po::wire {
template <>
struct valid_enum<Kind> {
  static bool ok(Kind k) { return k <= Kind::kPermanent; }
};
}  // namespace po::wire

namespace po::messages {

/// Raised when any struct below changes; the dispatcher and its children must agree (Welcome carries it).
inline constexpr std::uint16_t kVersion = 5;

/// Bodies up to this travel in the frame; larger ones are files that queue hands out (OpenBody).
inline constexpr std::uint32_t kSmallBody = 64 * 1024;
inline constexpr std::uint32_t kMiB = 1024 * 1024;
/// No frame is larger than this, whatever its type.
inline constexpr std::uint32_t kMaxFrame = 16 * kMiB;

/// The processes, by role. A program has one role; several processes may have the same.
enum class Role : std::uint8_t {
  kDispatcher,
  kAccounts,
  kQueue,
  kSmtpd,
  kPop3d,
  kSmtpDeliver,
  kCommand,
  kWwwd,
  kFingerd,
  kStory,
  kUnixDeliver,
  kLmtpDeliver
};
[[nodiscard]] constexpr const char* role_name(Role r) {
  switch (r) {
    case Role::kDispatcher:
      return "dispatcher";
    case Role::kAccounts:
      return "accounts";
    case Role::kQueue:
      return "queue";
    case Role::kSmtpd:
      return "smtpd";
    case Role::kPop3d:
      return "pop3d";
    case Role::kSmtpDeliver:
      return "smtp-deliver";
    case Role::kCommand:
      return "command";
    case Role::kWwwd:
      return "wwwd";
    case Role::kFingerd:
      return "fingerd";
    case Role::kStory:
      return "story";
    case Role::kUnixDeliver:
      return "unix-deliver";
    case Role::kLmtpDeliver:
      return "lmtp-deliver";
  }
  return "unknown";
}

/// An address of the network: family 4 or 6 with 4 or 16 octets in network order, or 0 for a local peer.
struct NetAddress {
  std::uint8_t family = 0;
  std::array<std::uint8_t, 16> octets{};
  std::uint16_t port = 0;
  auto fields() { return std::tie(family, octets, port); }
};

using Key = std::array<std::uint8_t, 32>;

// ---- control socket: dispatcher <-> every module

/// dispatcher > module, first frame. No answer, no descriptor. 64 KiB.
struct Welcome {
  static constexpr std::uint16_t kType = 1;
  static constexpr std::uint32_t kMax = 64 * 1024;
  std::uint16_t version = kVersion;
  std::string name;               ///< for the log: "smtpd.1"
  std::uint32_t incarnation = 0;  ///< counts every process ever started; 24 bits are used
  Key notice_key{};               ///< this module's own key for UDP notices of this start
  std::uint16_t notice_port = 0;  ///< the dispatcher's UDP port on 127.0.0.1
  Key ticket_key{};               ///< accounts and queue only: seals mailbox tickets; zero for all others
  Key order_key{};       ///< accounts, queue and story only: seals orders (lib/order.h); zero for others
  std::string hostname;  ///< fully qualified name of this host
  std::string directory_path;     ///< directory/ (readers), absolute
  std::string store_path;         ///< queue: the mailbox directory; accounts: the spool directory
  std::string log_path;           ///< story: the log directory
  std::string maildrop_path;      ///< unix-deliver: /var/mail
  bool private_instance = false;  ///< started without root: the suite's own uid may use the command socket
  std::uint32_t admin_gid = 0xffffffff;  ///< administrators' group, 0xffffffff if none
  std::vector<std::string> resolvers;    ///< "address" or "address:port"; empty: DNS is off, hosts file only
  std::vector<std::string>
      smtp_endpoints;  ///< smtp-deliver: "address:port" where this host itself takes mail
  auto fields() {
    return std::tie(version, name, incarnation, notice_key, notice_port, ticket_key, order_key, hostname,
                    directory_path, store_path, log_path, maildrop_path, private_instance, admin_gid,
                    resolvers, smtp_endpoints);
  }
};

/// How a listening socket is served.
enum class Protocol : std::uint8_t { kSmtp, kSubmission, kLocalSubmission, kPop3, kCommand, kHttp, kFinger };

/// dispatcher > module: a listening socket. No answer. The socket rides along. 1 KiB.
struct Listen {
  static constexpr std::uint16_t kType = 2;
  static constexpr std::uint32_t kMax = 1024;
  Protocol protocol = Protocol::kSmtp;
  bool implicit_tls = false;
  std::uint32_t max_sessions =
      0;                ///< in this process, for this socket; at the bound: 421 or -ERR, then close
  std::string service;  ///< name in the service table, for the log
  auto fields() { return std::tie(protocol, implicit_tls, max_sessions, service); }
};

/// dispatcher > module: a new pipe to a peer of that role. No answer. One end of a socket pair rides along. A
/// second one for a role of which there is one process (accounts, queue, story) replaces the first. 1 KiB.
struct Peer {
  static constexpr std::uint16_t kType = 3;
  static constexpr std::uint32_t kMax = 1024;
  Role role = Role::kDispatcher;
  std::string name;               ///< of that process, for the log
  std::uint32_t incarnation = 0;  ///< of that process: the maker in the message ids that it may give
  auto fields() { return std::tie(role, name, incarnation); }
};

/// dispatcher > module: a new log descriptor (rotation) rides along. No answer. 16 octets.
struct LogFile {
  static constexpr std::uint16_t kType = 4;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

/// One certificate chain with its key, PEM.
struct Certificate {
  std::string chain;
  std::string key;
  auto fields() { return std::tie(chain, key); }
};

/// dispatcher > smtpd, pop3d, wwwd: certificates (the first is the default, the others are chosen by SNI) and
/// session ticket keys, newest first. Replaces what was; running sessions go on. No answer. 1 MiB.
struct Certificates {
  static constexpr std::uint16_t kType = 5;
  static constexpr std::uint32_t kMax = kMiB;
  std::vector<Certificate> certificates;
  std::vector<std::array<std::uint8_t, 80>> ticket_keys;  ///< name 16, HMAC key 32, AES-256 key 32
  auto fields() { return std::tie(certificates, ticket_keys); }
};

/// dispatcher > module: everything above has been sent; confine yourself and begin. Answer: Ready. 16 octets.
struct Start {
  static constexpr std::uint16_t kType = 6;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

/// module > dispatcher: confined and serving. 16 octets.
struct Ready {
  static constexpr std::uint16_t kType = 7;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

/// dispatcher > module: stop accepting, finish within `seconds`, exit 0. A closed control socket means the
/// same with 5 s. No answer. 16 octets.
struct Stop {
  static constexpr std::uint16_t kType = 8;
  static constexpr std::uint32_t kMax = 16;
  std::uint32_t seconds = 5;
  auto fields() { return std::tie(seconds); }
};

enum class Verb : std::uint8_t { kStop, kRestart, kReload, kStatus, kStatusJson };

/// accounts > dispatcher: an authorised administrator asks for this. Answer: AdministerAnswer. 64 octets.
struct Administer {
  static constexpr std::uint16_t kType = 9;
  static constexpr std::uint32_t kMax = 64;
  Verb verb = Verb::kStatus;
  auto fields() { return std::tie(verb); }
};

/// dispatcher > accounts. 1 MiB.
struct AdministerAnswer {
  static constexpr std::uint16_t kType = 10;
  static constexpr std::uint32_t kMax = kMiB;
  Kind kind = Kind::kDone;
  std::string text;  ///< what to print
  auto fields() { return std::tie(kind, text); }
};

/// accounts > dispatcher > queue: an authorised administrator's command connection whose Command is for
/// queue. The connection rides along; queue answers on it with CommandOutput and closes it. No answer here. 1
/// MiB.
struct PassCommand {
  static constexpr std::uint16_t kType = 11;
  static constexpr std::uint32_t kMax = kMiB;
  std::vector<std::string> words;
  auto fields() { return std::tie(words); }
};

/// dispatcher > smtpd, pop3d, fingerd, wwwd: a client's connection that inetd accepted, to be served as if it
/// came by this Listen. The connection rides along. Answer: Took, unless the process is stopping: then it
/// closes its copy and is silent, and when it has gone the dispatcher gives the client to another. 1 KiB.
struct HandedClient {
  static constexpr std::uint16_t kType = 12;
  static constexpr std::uint32_t kMax = 1024;
  Listen listen;
  auto fields() { return std::tie(listen); }
};

/// smtpd, pop3d, fingerd, wwwd > dispatcher: that client is mine; the dispatcher lets go of it. 16 octets.
struct Took {
  static constexpr std::uint16_t kType = 13;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

// ---- accounts, lmtp-deliver > dispatcher: a connection to another program of this host

/// accounts, lmtp-deliver > dispatcher: a connection to the socket that the configuration names, accounts to
/// saslauthd's (`saslauthd`), lmtp-deliver to the mail store's (`unix-deliver`), because neither may open
/// one. Answer: LocalConnection. 16 octets.
struct AskConnection {
  static constexpr std::uint16_t kType = 14;
  static constexpr std::uint32_t kMax = 16;
  auto fields() { return std::tie(); }
};

/// dispatcher > accounts, lmtp-deliver: the connection rides along if there is one. 1 KiB.
struct LocalConnection {
  static constexpr std::uint16_t kType = 15;
  static constexpr std::uint32_t kMax = 1024;
  std::string text;  ///< why there is none
  auto fields() { return std::tie(text); }
};

// ---- dispatcher > accounts: what System Information says

/// dispatcher > accounts, before Start, after a reload, and when a process has another state. No answer.
/// 256 KiB: 64 services on 16 addresses each, and inetd.
struct SystemFacts {
  static constexpr std::uint16_t kType = 16;
  static constexpr std::uint32_t kMax = 256 * 1024;
  std::string version, program_directory, spool_directory, mailbox_directory, log_directory;
  std::vector<std::string> ports;    ///< a line for each: "0.0.0.0:25 smtp: smtp, by smtpd"
  std::vector<std::string> modules;  ///< a line for each: "SMTP-Accept: smtpd, 2 processes, up"
  auto fields() {
    return std::tie(version, program_directory, spool_directory, mailbox_directory, log_directory, ports,
                    modules);
  }
};

// ---- unix-deliver > dispatcher: a mail drop that is not there

/// Where mail drops are: fixed when the suite is built, as in maildrop-setuid.
#ifndef MAILDROP_DIRECTORY
#define MAILDROP_DIRECTORY "/var/mail"
#endif
inline constexpr const char* kMaildropDirectory = MAILDROP_DIRECTORY;

/// unix-deliver > dispatcher: have maildrop make the mail drop of this user, who must exist on this host.
/// Answer: MaildropMade. 64 octets.
struct MakeMaildrop {
  static constexpr std::uint16_t kType = 17;
  static constexpr std::uint32_t kMax = 64;
  std::string login;  ///< at most 32 octets
  auto fields() { return std::tie(login); }
};

/// dispatcher > unix-deliver. 1 KiB.
struct MaildropMade {
  static constexpr std::uint16_t kType = 18;
  static constexpr std::uint32_t kMax = 1024;
  Kind kind = Kind::kTemporary;
  std::string text;  ///< why not
  auto fields() { return std::tie(kind, text); }
};

// ---- run/inetd: a server program that inetd started > dispatcher

/// program under inetd > dispatcher, first and only frame: the connection that rides along is for this
/// service. Answer: HandOverAnswer, when a process has taken it or nobody will. 64 octets.
struct HandOver {
  static constexpr std::uint16_t kType = 60;
  static constexpr std::uint32_t kMax = 64;
  std::string service;  ///< name in the service table
  auto fields() { return std::tie(service); }
};

/// dispatcher > program under inetd. 1 KiB.
struct HandOverAnswer {
  static constexpr std::uint16_t kType = 61;
  static constexpr std::uint32_t kMax = 1024;
  Kind kind = Kind::kTemporary;
  std::string text;  ///< why not
  auto fields() { return std::tie(kind, text); }
};

// ---- accounts: smtpd, pop3d > accounts

/// smtpd, pop3d > accounts: is this password right? Answer: Verdict. 8 KiB.
struct Authenticate {
  static constexpr std::uint16_t kType = 20;
  static constexpr std::uint32_t kMax = 8 * 1024;
  std::string login;     ///< POP login name, or any of the account's addresses
  std::string password;  ///< octets as the client sent them
  NetAddress client;     ///< for access restrictions and slow-down
  std::string
      client_name;  ///< reverse name, confirmed by a forward look-up; empty: not looked up or not confirmed
  bool name_looked_up = false;
  std::string session;   ///< session id, for the log and the ticket
  bool mailbox = false;  ///< pop3d alone: wants a ticket
  auto fields() { return std::tie(login, password, client, client_name, name_looked_up, session, mailbox); }
};

enum class Answer : std::uint8_t {
  kGranted,
  kDenied,     ///< wrong password or no such account: nobody is told which
  kLocked,     ///< told only to who gave the right password
  kNotFrom,    ///< right password, but an access restriction forbids this client
  kTooMany,    ///< slowed down after failures; `retry_after` seconds
  kNeedName,   ///< an access restriction holds names: look the client's name up and ask again
  kNoMailbox,  ///< right password, but POP3-Delivery is off
  kUnavailable
};

/// accounts > smtpd, pop3d. 8 KiB.
struct Verdict {
  static constexpr std::uint16_t kType = 21;
  static constexpr std::uint32_t kMax = 8 * 1024;
  Answer answer = Answer::kUnavailable;
  std::uint64_t account = 0;      ///< granted only
  std::string address;            ///< the account's primary address; granted only
  std::string ticket;             ///< granted and `mailbox`: opaque, good once within 30 s (lib/ticket.h)
  std::uint32_t retry_after = 0;  ///< seconds
  auto fields() { return std::tie(answer, account, address, ticket, retry_after); }
};

// ---- queue: smtpd > queue

/// DSN NOTIFY (RFC 3461 4.1) as bits; 0 = not given.
enum Notify : std::uint8_t { kNotifyNever = 1, kNotifySuccess = 2, kNotifyFailure = 4, kNotifyDelay = 8 };

struct Recipient {
  std::string address;  ///< as given at RCPT, completed and with the domain in lower case, A-labels; no angle
                        ///< brackets
  std::uint8_t notify = 0;
  std::string orcpt;  ///< DSN ORCPT as given, checked; empty if none
  auto fields() { return std::tie(address, notify, orcpt); }
};

/// smtpd > queue: take this message, with an id of its own making; the promise behind "250". Answer:
/// Submitted, after the commit. 16 MiB.
struct Submit {
  static constexpr std::uint16_t kType = 30;
  static constexpr std::uint32_t kMax = kMaxFrame;
  MessageId id;
  std::string sender;    ///< envelope sender, empty for <>
  std::uint8_t ret = 0;  ///< DSN RET: 0 not given, 1 FULL, 2 HDRS
  std::string envid;     ///< DSN ENVID as given, empty if none
  bool smtputf8 = false;
  bool body_8bit = false;
  std::string session;                   ///< session id of the log
  NetAddress client;                     ///< where it came from
  std::uint64_t account = 0;             ///< who authenticated; 0: nobody
  std::uint32_t local_uid = 0xffffffff;  ///< who submitted on the local socket; 0xffffffff: not local
  std::vector<Recipient> recipients;
  std::uint64_t size = 0;      ///< octets of the whole body, trace header included
  std::uint64_t checksum = 0;  ///< of the whole body (lib/checksum.h)
  bool in_file = false;        ///< the body was written to the descriptor of BodyFile; `body` is empty
  std::string body;            ///< at most kSmallBody octets, else in_file
  auto fields() {
    return std::tie(id, sender, ret, envid, smtputf8, body_8bit, session, client, account, local_uid,
                    recipients, size, checksum, in_file, body);
  }
};

/// queue > smtpd: done (on disk, local mailboxes filled), temporary (nothing kept), permanent (nothing kept).
/// 4 KiB.
struct Submitted {
  static constexpr std::uint16_t kType = 31;
  static constexpr std::uint32_t kMax = 4 * 1024;
  MessageId id;
  Kind kind = Kind::kTemporary;
  bool no_space = false;  ///< temporary because the disk or map is full: 452
  bool too_many = false;  ///< temporary because the sender is over the limit of recipients: 452 4.7.1
  std::string text;       ///< one sentence for the reply and the log
  auto fields() { return std::tie(id, kind, no_space, too_many, text); }
};

/// smtpd > queue: a file for the body of this message, with an id of its own making. Answer: BodyFile. 64
/// octets.
struct OpenBody {
  static constexpr std::uint16_t kType = 32;
  static constexpr std::uint32_t kMax = 64;
  MessageId id;
  auto fields() { return std::tie(id); }
};

/// queue > smtpd: done with an empty file, open for writing, riding along; or temporary (no_space as above).
/// 4 KiB.
struct BodyFile {
  static constexpr std::uint16_t kType = 33;
  static constexpr std::uint32_t kMax = 4 * 1024;
  MessageId id;
  Kind kind = Kind::kTemporary;
  bool no_space = false;
  std::string text;
  auto fields() { return std::tie(id, kind, no_space, text); }
};

/// smtpd > queue: that body will not come (client gone, too large). No answer. 64 octets.
struct DropBody {
  static constexpr std::uint16_t kType = 34;
  static constexpr std::uint32_t kMax = 64;
  MessageId id;
  auto fields() { return std::tie(id); }
};

/// smtpd > queue, on a new pipe after the old one broke with a Submit unanswered: is it in the store? Answer:
/// Stored. 64 octets.
struct AskStored {
  static constexpr std::uint16_t kType = 35;
  static constexpr std::uint32_t kMax = 64;
  MessageId id;
  auto fields() { return std::tie(id); }
};

/// queue > smtpd. `known` false: the store could not say (temporary). 64 octets.
struct Stored {
  static constexpr std::uint16_t kType = 36;
  static constexpr std::uint32_t kMax = 64;
  MessageId id;
  bool known = false;
  bool stored = false;
  auto fields() { return std::tie(id, known, stored); }
};

/// smtpd > queue: how full is this account's mailbox? Answer: Usage. 64 octets.
struct AskUsage {
  static constexpr std::uint16_t kType = 37;
  static constexpr std::uint32_t kMax = 64;
  std::uint64_t account = 0;
  auto fields() { return std::tie(account); }
};

/// queue > smtpd. 64 octets.
struct Usage {
  static constexpr std::uint16_t kType = 38;
  static constexpr std::uint32_t kMax = 64;
  bool known = false;
  std::uint64_t account = 0;
  std::uint64_t messages = 0;
  std::uint64_t octets = 0;
  auto fields() { return std::tie(known, account, messages, octets); }
};

// ---- queue: pop3d > queue

/// pop3d > queue: redeem a ticket. Answer: one or more Mailbox frames with the same serial. 4 KiB.
struct OpenMailbox {
  static constexpr std::uint16_t kType = 40;
  static constexpr std::uint32_t kMax = 4 * 1024;
  std::string ticket;
  std::string session;
  auto fields() { return std::tie(ticket, session); }
};

struct MailboxEntry {
  MessageId id;
  std::uint64_t size = 0;  ///< octets as RETR will send them before dot-stuffing: prefix lines and body
  auto fields() { return std::tie(id, size); }
};

/// queue > pop3d: oldest first, at most 100,000 entries a frame; `more`: another frame follows. 4 MiB.
struct Mailbox {
  static constexpr std::uint16_t kType = 41;
  static constexpr std::uint32_t kMax = 4 * kMiB;
  Kind kind = Kind::kTemporary;
  std::string text;          ///< why not
  std::uint64_t handle = 0;  ///< bound to this pipe; gone when the pipe or either process goes
  std::vector<MailboxEntry> entries;
  bool more = false;
  auto fields() { return std::tie(kind, text, handle, entries, more); }
};

/// pop3d > queue: one message. Answer: Message. 64 octets.
struct Retrieve {
  static constexpr std::uint16_t kType = 42;
  static constexpr std::uint32_t kMax = 64;
  std::uint64_t handle = 0;
  MessageId id;
  auto fields() { return std::tie(handle, id); }
};

/// queue > pop3d: done with prefix and body (or, large, the body's file read-only riding along); permanent:
/// it is not in the mailbox (any more); temporary: ask later. 128 KiB.
struct Message {
  static constexpr std::uint16_t kType = 43;
  static constexpr std::uint32_t kMax = 128 * 1024;
  Kind kind = Kind::kTemporary;
  MessageId id;
  std::string prefix;  ///< Return-Path and Delivered-To lines of this mailbox, CRLF ended
  std::string body;    ///< whole if no descriptor rides
  std::uint64_t body_size = 0;
  auto fields() { return std::tie(kind, id, prefix, body, body_size); }
};

/// pop3d > queue: delete these from the mailbox in one transaction. What is gone already is no error. Answer:
/// Expunged, after the commit. 16 MiB (a million ids).
struct Expunge {
  static constexpr std::uint16_t kType = 44;
  static constexpr std::uint32_t kMax = kMaxFrame;
  std::uint64_t handle = 0;
  std::vector<MessageId> ids;
  auto fields() { return std::tie(handle, ids); }
};

/// queue > pop3d. 4 KiB.
struct Expunged {
  static constexpr std::uint16_t kType = 45;
  static constexpr std::uint32_t kMax = 4 * 1024;
  Kind kind = Kind::kTemporary;
  std::string text;
  auto fields() { return std::tie(kind, text); }
};

/// pop3d > queue: the session is over. No answer. 64 octets.
struct CloseMailbox {
  static constexpr std::uint16_t kType = 46;
  static constexpr std::uint32_t kMax = 64;
  std::uint64_t handle = 0;
  auto fields() { return std::tie(handle); }
};

// ---- queue: smtpd > queue, on behalf of a client that asks for what is held (qsnd, ETRN)

/// smtpd > queue: try again now what waits for this domain and what is under it. smtpd has checked that the
/// client may ask. Answer: Started. 1 KiB.
struct StartDomain {
  static constexpr std::uint16_t kType = 47;
  static constexpr std::uint32_t kMax = 1024;
  std::string domain;  ///< lower-case A-labels
  bool subdomains = false;
  auto fields() { return std::tie(domain, subdomains); }
};

/// queue > smtpd. 64 octets.
struct Started {
  static constexpr std::uint16_t kType = 48;
  static constexpr std::uint32_t kMax = 64;
  bool known = false;          ///< false: the store could not say
  std::uint64_t messages = 0;  ///< that were started
  auto fields() { return std::tie(known, messages); }
};

// ---- queue <-> smtp-deliver

/// How the connection to a next hop is protected.
enum class TlsLevel : std::uint8_t {
  kNone,           ///< STARTTLS is not used
  kOpportunistic,  ///< used where the host offers it; no certificate is looked at
  kRequired,       ///< no mail without it; no certificate is looked at
  kVerified        ///< no mail without it, and the certificate must be good for the host's name
};

/// Where a recipient goes next, and how. Made by the routing table (lib/directory/next_hop.h).
struct NextHop {
  std::string name;  ///< the queue's key: "podunk.edu" (by MX), "[relay.podunk.edu]:587" (this host alone)
  bool by_mx = true;
  std::string host;  ///< a domain, a host name, or an address literal "[192.0.2.1]"
  std::uint16_t port = 25;
  TlsLevel tls = TlsLevel::kOpportunistic;
  std::string user;    ///< to log in there with; the password is asked of accounts. Empty: no log-in
  std::string source;  ///< address to connect from, in decimal; empty: the kernel's choice
  std::string helo;    ///< name to greet with; empty: this host's
  auto fields() { return std::tie(name, by_mx, host, port, tls, user, source, helo); }
};

struct JobRecipient {
  std::uint32_t n = 0;  ///< its number in the message
  std::string address;
  std::uint8_t notify = 0;
  std::string orcpt;
  auto fields() { return std::tie(n, address, notify, orcpt); }
};

/// queue > smtp-deliver: carry this message to these recipients, all by one next hop. A body that is not in
/// the frame rides along as a read-only file. Answer: JobDone, within 30 minutes. 16 MiB.
struct Job {
  static constexpr std::uint16_t kType = 70;
  static constexpr std::uint32_t kMax = kMaxFrame;
  MessageId id;
  NextHop hop;
  std::string sender;  ///< empty for <>
  std::uint8_t ret = 0;
  std::string envid;
  bool smtputf8 = false;
  bool body_8bit = false;
  std::vector<JobRecipient> recipients;
  std::uint64_t size = 0;
  bool in_file = false;
  std::string body;
  auto fields() {
    return std::tie(id, hop, sender, ret, envid, smtputf8, body_8bit, recipients, size, in_file, body);
  }
};

struct JobOutcome {
  std::uint32_t n = 0;
  Kind kind = Kind::kTemporary;
  bool remote = false;  ///< the words below are the host's, not ours
  std::string reply;    ///< "550 5.1.1 no such user": one line, printable ASCII or UTF-8, at most 500 octets
  std::string status;   ///< RFC 3463: "5.1.1"; ours where the host gave none
  auto fields() { return std::tie(n, kind, remote, reply, status); }
};

/// What an attempt showed of the next hop as a whole.
enum class HopState : std::uint8_t {
  kServed,       ///< a host took the session; the outcomes are about this message
  kUnavailable,  ///< no host could be reached, or each sent us away before the first recipient: spare it for
                 ///< a while
  kBusy,         ///< it works, but wants fewer connections (421 or a refusal beside others that go on)
  kUnseen        ///< we broke off: it says nothing about the hop, and what we say ourselves is no attempt
};

/// Jobs that one smtp-deliver works on at once; what is more waits in it, and its time runs.
inline constexpr std::size_t kJobsAtOnce = 500;

/// smtp-deliver > queue: the answer to a Job; an outcome for each of its recipients. 2 MiB.
struct JobDone {
  static constexpr std::uint16_t kType = 71;
  static constexpr std::uint32_t kMax = 2 * kMiB;
  MessageId id;
  HopState hop = HopState::kServed;
  std::string host;  ///< "mx1.podunk.edu[192.0.2.1]:25"; empty: none was reached
  std::string tls;   ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: in clear
  bool dsn = false;  ///< the host promised notices (RFC 3461): success is its to report
  std::vector<JobOutcome> outcomes;
  auto fields() { return std::tie(id, hop, host, tls, dsn, outcomes); }
};

// ---- queue <-> unix-deliver, lmtp-deliver

/// queue > unix-deliver: append this message to the mail drop of a user of this host; queue > lmtp-deliver:
/// give it to the mail store for this user. A body that is not in the frame rides along as a read-only file.
/// Answer: JobDone, within 30 minutes; unix-deliver's hop is kServed or, at a stop, kUnseen. 16 MiB.
struct MaildropJob {
  static constexpr std::uint16_t kType = 74;
  static constexpr std::uint32_t kMax = kMaxFrame;
  MessageId id;
  std::string sender;  ///< empty for <>
  std::uint64_t arrival_ms = 0;
  std::uint32_t n = 0;  ///< the recipient's number in the message
  std::string login;    ///< the user, UNIX-Login-Name
  std::string address;  ///< which of the user's addresses it came for
  bool again = false;   ///< it was given out before, and no answer came: it may be there
  std::uint64_t size = 0;
  bool in_file = false;
  std::string body;
  auto fields() { return std::tie(id, sender, arrival_ms, n, login, address, again, size, in_file, body); }
};

/// queue > smtp-deliver: which hosts would a message by this next hop be offered to? Answer: Hosts. 4 KiB.
struct AskHosts {
  static constexpr std::uint16_t kType = 72;
  static constexpr std::uint32_t kMax = 4 * 1024;
  NextHop hop;
  auto fields() { return std::tie(hop); }
};

/// smtp-deliver > queue. 64 KiB.
struct Hosts {
  static constexpr std::uint16_t kType = 73;
  static constexpr std::uint32_t kMax = 64 * 1024;
  Kind kind = Kind::kTemporary;
  std::vector<std::string> lines;  ///< for people, in the order of trying; or why there is none
  auto fields() { return std::tie(kind, lines); }
};

// ---- accounts: smtp-deliver > accounts

/// smtp-deliver > accounts: the password of a relay. Answer: RelayPassword. 1 KiB.
struct AskRelayPassword {
  static constexpr std::uint16_t kType = 22;
  static constexpr std::uint32_t kMax = 1024;
  std::string host;  ///< as the routing table has it
  std::string user;
  auto fields() { return std::tie(host, user); }
};

/// accounts > smtp-deliver. 4 KiB.
struct RelayPassword {
  static constexpr std::uint16_t kType = 23;
  static constexpr std::uint32_t kMax = 4 * 1024;
  bool found = false;
  std::string password;
  auto fields() { return std::tie(found, password); }
};

// ---- command socket: post.office > accounts (or queue, after PassCommand)

/// post.office > accounts: do this. Peer credentials tell who; others must give a Postmaster's password.
/// Answer: CommandOutput. 16 MiB.
struct Command {
  static constexpr std::uint16_t kType = 50;
  static constexpr std::uint32_t kMax = kMaxFrame;
  std::vector<std::string> words;  ///< "account", "show", "jane@podunk.edu"
  std::string input;               ///< what stands on standard input, if the command reads it; see `more`
  bool more = false;               ///< another Command frame with more input follows (words are then ignored)
  std::string password;            ///< the Postmaster's, or empty
  auto fields() { return std::tie(words, input, more, password); }
};

/// accounts, queue > post.office: print this; the last one has `end`. 1 MiB.
struct CommandOutput {
  static constexpr std::uint16_t kType = 51;
  static constexpr std::uint32_t kMax = kMiB + 64;
  std::string out;  ///< for standard output
  std::string err;  ///< for standard error
  bool end = true;
  std::uint8_t exit_code =
      0;  ///< 0 done, 1 refused (permanent), 75 try again (EX_TEMPFAIL), 64 usage (EX_USAGE), 77 not allowed
  auto fields() { return std::tie(out, err, end, exit_code); }
};

// ---- UDP notices (lib/notice.h)

enum class NoticeKind : std::uint8_t {
  kAlive = 1,      ///< any module > dispatcher, each second: shown, never acted on
  kDirectory = 2,  ///< accounts > dispatcher > all others: the directory has a new generation
};

/// The payload of a notice; the datagram adds sender (incarnation), counter and MAC.
struct Notice {
  NoticeKind kind = NoticeKind::kAlive;
  std::uint32_t sessions = 0;    ///< open now
  std::uint64_t served = 0;      ///< messages or sessions since start
  std::uint64_t failures = 0;    ///< refused since start
  std::uint64_t generation = 0;  ///< kDirectory
  auto fields() { return std::tie(kind, sessions, served, failures, generation); }
};

}  // namespace po::messages

template <>
struct po::wire::valid_enum<po::messages::TlsLevel> {
  static bool ok(po::messages::TlsLevel v) { return v <= po::messages::TlsLevel::kVerified; }
};
template <>
struct po::wire::valid_enum<po::messages::HopState> {
  static bool ok(po::messages::HopState v) { return v <= po::messages::HopState::kUnseen; }
};
