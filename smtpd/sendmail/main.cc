// sendmail, mailq, newaliases: the door for programs of this host (man/sendmail.8). Not setuid and trusted
// with nothing: what the caller may do is decided by smtpd, which knows the user by the socket. It starts
// thousands of times, so it links little and reads one file.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "lib/header.h"
#include "lib/text.h"
#include "smtpd/sendmail/caller.h"
#include "smtpd/sendmail/dialogue.h"
#include "smtpd/sendmail/message_scan.h"
#include "smtpd/sendmail/options.h"
#include "smtpd/sendmail/relay.h"

namespace sendmail {
namespace {

/// How long a restart of the suite may take before the message is given back to the caller.
constexpr auto kPatience = std::chrono::seconds(60);
constexpr auto kFirstPause = std::chrono::milliseconds(20);
constexpr auto kLongestPause = std::chrono::seconds(1);
/// Octets of the body in memory; more goes into a file without a name.
constexpr std::size_t kInMemory = 1 << 20;

class Program {
 public:
  Program(std::string name, Options options) : name_(std::move(name)), options_(std::move(options)) {}
  int run();

 private:
  int say(int status, std::string_view why) const;
  int run_post_office(std::vector<std::string> words) const;
  int speak_smtp() const;
  int send();
  int read_message(MessageScan& scan, Content& content) const;
  int spill(std::string& body, Content& content) const;
  int add_envelope(const MessageScan& scan, Envelope& envelope) const;
  [[nodiscard]] std::string header_for(const std::vector<Field>& fields, const Envelope& envelope) const;
  [[nodiscard]] Outcome submit_patiently(Envelope envelope, const Content& content) const;
  int report(const Outcome& outcome, const Envelope& envelope, const Content& content) const;
  [[nodiscard]] bool mail_back(const Outcome& outcome, const Envelope& envelope,
                               const Content& content) const;

  std::string name_;
  Options options_;
  Place place_;
  Caller caller_;
};

/// Where the words of a failure go is -e's to say.
int Program::say(int status, std::string_view why) const {
  if (options_.on_error != OnError::kQuiet) {
    std::fprintf(stderr, "%s: %.*s\n", name_.c_str(), static_cast<int>(why.size()), why.data());
  }
  return status;
}

int Program::run() {
  if (options_.mode == Mode::kAliases) {
    std::printf("%s: aliases are accounts and channel aliases of Post.Office; nothing needs to be rebuilt\n",
                name_.c_str());
    return EX_OK;
  }
  if (options_.mode == Mode::kRunQueue && !options_.whole_queue) {
    std::printf("%s: Post.Office runs its queue by itself; post.office queue retry tries sooner\n",
                name_.c_str());
    return EX_OK;
  }
  auto place = find_place(options_.config_file);
  if (!place) return say(EX_CONFIG, place.error());
  place_ = std::move(*place);
  if (options_.mode == Mode::kPrintQueue) return run_post_office({"queue", "mailq"});
  if (options_.mode == Mode::kRunQueue) return run_post_office({"queue", "retry", "--all"});
  // A reader of -v's or -bs's output that goes away must not take the message with it.
  ::signal(SIGPIPE, SIG_IGN);
  if (options_.mode == Mode::kSmtp) return speak_smtp();
  return send();
}

int Program::run_post_office(std::vector<std::string> words) const {
  if (!place_.config_file.empty()) words.insert(words.begin(), {"-c", place_.config_file});
  words.insert(words.begin(), place_.program);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  ::execv(place_.program.c_str(), argv.data());
  return say(EX_UNAVAILABLE, place_.program + " cannot be started: " + std::strerror(errno));
}

/// Connects, through a restart if need be.
po::Result<po::Fd> connect_patiently(const std::string& path, Clock::time_point until) {
  auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(kFirstPause);
  while (true) {
    auto socket = connect_to(path);
    bool waits = !socket && socket.error().kind == po::Kind::kTemporary && Clock::now() + pause < until;
    if (!waits) return socket;
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    pause = std::min<std::chrono::milliseconds>(pause * 2, kLongestPause);
  }
}

// ---- -bs

int Program::speak_smtp() const {
  if (is_network_client(STDIN_FILENO)) {
    return say(EX_USAGE, "-bs is for programs of this host; under inetd, smtpd --inetd serves the network");
  }
  auto socket = connect_patiently(place_.socket, Clock::now() + kPatience);
  if (socket) return relay(STDIN_FILENO, STDOUT_FILENO, std::move(*socket));
  std::printf("421 4.3.2 Service not available, try again later\r\n");
  int status = socket.error().kind == po::Kind::kTemporary ? EX_TEMPFAIL : EX_UNAVAILABLE;
  return say(status, socket.error().text);
}

// ---- a message

int Program::send() {
  if (options_.recipients.empty() && !options_.from_header) {
    return say(EX_USAGE, "whom is it for? Name recipients, or take them from the header with -t");
  }
  caller_ = find_caller();
  MessageScan scan(options_.dot_ends);
  Content content;
  if (int status = read_message(scan, content); status != EX_OK) return status;
  Envelope envelope;
  if (int status = add_envelope(scan, envelope); status != EX_OK) return status;
  content.start.insert(0, header_for(scan.fields(), envelope));
  return report(submit_patiently(envelope, content), envelope, content);
}

/// All is read before anything is sent: a try that a restart broke off can be made again.
int Program::read_message(MessageScan& scan, Content& content) const {
  std::array<char, 65536> piece;
  std::string* body = &content.start;
  std::string late;  // what goes into the file
  while (!scan.ended()) {
    ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return say(EX_IOERR, std::string("the message cannot be read: ") + std::strerror(errno));
    if (n == 0) break;
    scan.feed({piece.data(), static_cast<std::size_t>(n)}, *body);
    if (content.start.size() > kInMemory) body = &late;
    if (int status = spill(late, content); status != EX_OK) return status;
  }
  scan.finish(*body);
  if (scan.header_too_large()) return say(EX_DATAERR, "the header is larger than 60 KiB");
  return spill(late, content);
}

int Program::spill(std::string& body, Content& content) const {
  if (body.empty()) return EX_OK;
  if (!content.file) {
    const char* directory = std::getenv("TMPDIR");
    if (directory == nullptr || *directory == '\0') directory = "/tmp";
    std::string name = std::string(directory) + "/sendmail.XXXXXX";
    content.file.reset(::mkostemp(name.data(), O_CLOEXEC));  // not every file system has O_TMPFILE
    if (!content.file) {
      return say(EX_CANTCREAT,
                 std::string("no temporary file can be made in ") + directory + ": " + std::strerror(errno));
    }
    ::unlink(name.c_str());
  }
  std::string_view rest = body;
  while (!rest.empty()) {
    ssize_t n = ::write(content.file.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return say(EX_IOERR, std::string("the temporary file cannot be written: ") + std::strerror(errno));
    rest.remove_prefix(static_cast<std::size_t>(n));
    content.file_size += static_cast<std::uint64_t>(n);
  }
  body.clear();
  return EX_OK;
}

int Program::add_envelope(const MessageScan& scan, Envelope& envelope) const {
  envelope.recipients = options_.recipients;
  if (options_.from_header) {
    auto named = header_recipients(scan.fields());
    if (!named) return say(EX_DATAERR, named.error().text);
    envelope.recipients.insert(envelope.recipients.end(), named->begin(), named->end());
  }
  if (envelope.recipients.empty()) return say(EX_DATAERR, "the header names no recipient");
  if (envelope.recipients.size() > kMostRecipients) return say(EX_DATAERR, "there are too many recipients");
  if (options_.sender) {
    envelope.sender = options_.sender->canonical();
  } else if (!options_.null_sender) {
    envelope.sender = po::Mailbox{caller_.login, ""}.canonical();
  }
  envelope.notify = options_.notify;
  envelope.ret = options_.ret;
  envelope.envid = options_.envid;
  envelope.body_8bit = options_.body_8bit || scan.eight_bit();
  return EX_OK;
}

/// The comment field names the caller, who need not be the person that -f names.
std::string Program::header_for(const std::vector<Field>& fields, const Envelope& envelope) const {
  std::string address =
      envelope.sender.empty() ? po::Mailbox{caller_.login, ""}.canonical() : envelope.sender;
  std::string name = options_.full_name;
  if (name.empty() && !options_.sender) name = caller_.full_name;
  return finished_header(fields, {po::from_value(po::FromStyle::kQuoted, name, address), date_now(),
                                  new_message_id(place_.hostname)});
}

Outcome Program::submit_patiently(Envelope envelope, const Content& content) const {
  Clock::time_point until = Clock::now() + kPatience;
  auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(kFirstPause);
  Outcome settled;
  while (true) {
    auto socket = connect_patiently(place_.socket, until);
    if (!socket) {
      bool later = socket.error().kind == po::Kind::kTemporary;
      return together(std::move(settled),
                      {later ? EX_TEMPFAIL : EX_UNAVAILABLE, false, false, socket.error().text, {}},
                      envelope);
    }
    Outcome outcome = submit(std::move(*socket), envelope, content, until, options_.verbose);
    bool late = Clock::now() + pause >= until;
    if (late || (!outcome.again && !keep_put_off(envelope, outcome, settled))) {
      return together(std::move(settled), std::move(outcome), envelope);
    }
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    pause = std::min<std::chrono::milliseconds>(pause * 2, kLongestPause);
  }
}

// ---- what it came to

int Program::report(const Outcome& outcome, const Envelope& envelope, const Content& content) const {
  if (outcome.status == EX_OK) return EX_OK;
  bool may_mail = options_.on_error == OnError::kMailBack || options_.on_error == OnError::kMailAndZero;
  if (may_mail && outcome.status != EX_TEMPFAIL && mail_back(outcome, envelope, content)) {
    return options_.on_error == OnError::kMailAndZero ? EX_OK : outcome.status;
  }
  for (const Refusal& r : outcome.refused) say(outcome.status, r.line);
  if (outcome.why.empty()) return outcome.status;
  bool gave_up = outcome.status == EX_TEMPFAIL && !outcome.taken;
  return say(outcome.status, outcome.why + (gave_up ? "; the message was not sent, try again later" : ""));
}

/// -em, which cron uses: whoever would see the exit status is not there, so the message comes back by mail.
bool Program::mail_back(const Outcome& outcome, const Envelope& envelope, const Content& content) const {
  Envelope back;
  back.recipients.push_back(options_.sender.value_or(po::Mailbox{caller_.login, ""}));
  if (envelope.sender.empty()) return false;
  Content notice;
  notice.start =
      "From: \"Mail Delivery\" <postmaster>\r\nTo: " + envelope.sender +
      "\r\nSubject: Your message could not be sent\r\nAuto-Submitted: auto-replied\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: 8bit\r\nDate: " +
      date_now() + "\r\nMessage-ID: " + new_message_id(place_.hostname) + "\r\n\r\n" +
      (outcome.taken ? "Your message was not sent to these recipients:" : "Your message was not sent:") +
      "\r\n\r\n";
  for (const Refusal& r : outcome.refused) notice.start += "  " + r.line + "\r\n";
  if (outcome.refused.empty()) notice.start += "  " + outcome.why + "\r\n";
  notice.start += "\r\nIt began:\r\n\r\n";
  constexpr std::size_t kShown = 16 * 1024;
  std::string_view shown = std::string_view(content.start).substr(0, kShown);
  while (!shown.empty()) {
    std::size_t end = std::min(shown.find('\n'), shown.size() - 1) + 1;
    notice.start.append("> ").append(shown.substr(0, end));
    shown.remove_prefix(end);
  }
  if (!notice.start.ends_with("\r\n")) {
    if (notice.start.ends_with('\r')) notice.start.pop_back();
    notice.start += "\r\n";
  }
  back.body_8bit = true;
  return submit_patiently(back, notice).status == EX_OK;
}

}  // namespace
}  // namespace sendmail

int main(int argc, char** argv) {
  std::string_view path = argc > 0 ? argv[0] : "sendmail";
  std::string name(path.substr(path.rfind('/') + 1));
  std::span<const char* const> arguments(argv + std::min(argc, 1),
                                         static_cast<std::size_t>(std::max(argc - 1, 0)));
  auto options = sendmail::parse_options(name, arguments);
  if (!options) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), options.error().c_str());
    return EX_USAGE;
  }
  return sendmail::Program(std::move(name), std::move(*options)).run();
}
