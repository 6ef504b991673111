#include "smtpd/sendmail/dialogue.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <utility>

#include "lib/text.h"

namespace sendmail {

// ---- replies

std::string Reply::line() const {
  std::string out = std::to_string(code) + " ";
  if (!enhanced.empty()) out += enhanced + " ";
  return out + text;
}

/// "5.1.1 text" -> the code of RFC 3463, cut off.
static std::string take_enhanced(std::string& text) {
  std::size_t end = std::min(text.find(' '), text.size());
  std::string_view word = std::string_view(text).substr(0, end);
  bool digits = std::all_of(word.begin(), word.end(), [](char c) { return po::is_digit(c) || c == '.'; });
  if (!digits || std::count(word.begin(), word.end(), '.') != 2) return {};
  std::string out(word);
  text.erase(0, std::min(end + 1, text.size()));
  return out;
}

ReplyReader::Status ReplyReader::next(Reply& reply) {
  for (std::size_t at = 0;;) {
    std::size_t lf = buffer_.find('\n', at);
    if (lf == std::string::npos) return buffer_.size() - at > kMaxLine ? Status::kGarbage : Status::kNeedMore;
    std::string_view line = std::string_view(buffer_).substr(at, lf - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    bool code = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && po::is_digit(line[1]) &&
                po::is_digit(line[2]);
    if (!code || line.size() > kMaxLine || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
      return Status::kGarbage;
    }
    at = lf + 1;
    if (line.size() > 3 && line[3] == '-') continue;
    reply.code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    reply.text = line.substr(std::min<std::size_t>(4, line.size()));
    reply.enhanced = take_enhanced(reply.text);
    buffer_.erase(0, at);
    return Status::kReply;
  }
}

int exit_status(const Reply& reply) {
  if (reply.code < 500) return EX_TEMPFAIL;
  static constexpr std::pair<std::string_view, int> kByStatus[] = {
      {"5.1.2", EX_NOHOST},   {"5.1.3", EX_DATAERR}, {"5.1.7", EX_DATAERR}, {"5.1.", EX_NOUSER},
      {"5.2.", EX_CANTCREAT}, {"5.5.", EX_PROTOCOL}, {"5.6.", EX_DATAERR},  {"5.7.", EX_NOPERM},
  };
  for (auto [status, code] : kByStatus) {
    if (reply.enhanced.starts_with(status)) return code;
  }
  return EX_UNAVAILABLE;
}

// ---- the socket

po::Result<po::Fd> connect_to(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.size() >= sizeof un.sun_path)
    return po::permanent("the path " + path + " is too long for a socket");
  std::memcpy(un.sun_path, path.data(), path.size());
  po::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return po::temporary("no socket can be had", errno);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof un) == 0) return fd;
  int err = errno;
  if (err == EACCES || err == ENOTDIR) return po::permanent(path + " cannot be reached", err);
  return po::temporary(path + " does not answer", err);
}

namespace {

constexpr auto kReplyLimit = std::chrono::minutes(10);  // RFC 5321 4.5.3.2.6
constexpr auto kByeLimit = std::chrono::seconds(1);
/// Commands on the way before their replies are read. What both sides' buffers hold sets the bound: beyond it
/// each might wait for the other.
constexpr std::size_t kPipelined = 100;
/// Content that goes out with the commands; larger one waits for what is said of the recipients.
constexpr std::size_t kSmall = 64 * 1024;

class Line {
 public:
  Line(po::Fd socket, Clock::time_point deadline, bool verbose)
      : socket_(std::move(socket)), deadline_(deadline), verbose_(verbose) {}

  [[nodiscard]] po::Result<void> write(std::string_view octets) {
    while (!octets.empty()) {
      ssize_t n = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      // A reply may say why they close: it is read before this failure counts.
      if (n <= 0) return po::temporary("the connection broke", errno);
      octets.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  [[nodiscard]] po::Result<Reply> read() {
    Reply reply;
    while (true) {
      auto status = reader_.next(reply);
      if (status == ReplyReader::Status::kGarbage)
        return po::permanent("what answers is no mail server of ours");
      if (status == ReplyReader::Status::kReply) break;
      if (auto more = wait_and_read(); !more) return tl::unexpected(more.error());
    }
    deadline_ = Clock::now() + kReplyLimit;
    if (verbose_) std::printf("%s\n", po::for_display(reply.line(), 500).c_str());
    return reply;
  }

  void limit(Clock::duration time) { deadline_ = Clock::now() + time; }

 private:
  [[nodiscard]] po::Result<void> wait_and_read() {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    pollfd p{socket_.get(), POLLIN, 0};
    int ready = ::poll(&p, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (ready < 0 && errno == EINTR) return {};
    if (ready == 0) return po::temporary("no answer came in time");
    std::array<char, 16384> piece;
    ssize_t n = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (n < 0 && errno == EINTR) return {};
    if (n <= 0) return po::temporary("the connection broke", n < 0 ? errno : 0);
    reader_.feed({piece.data(), static_cast<std::size_t>(n)});
    return {};
  }

  po::Fd socket_;
  Clock::time_point deadline_;
  bool verbose_;
  ReplyReader reader_;
};

/// Whether the reply speaks of a system that goes down or comes up, which takes seconds.
bool passing(const Reply& reply) {
  return reply.code == 421 || (reply.code == 451 && reply.enhanced == "4.3.0");
}

/// One that may succeed later must not be lost behind one that never will.
int status_of(const std::vector<Refusal>& refused) {
  if (refused.empty()) return EX_OK;
  bool later = std::ranges::any_of(refused, [](const Refusal& r) { return r.status == EX_TEMPFAIL; });
  return later ? EX_TEMPFAIL : refused.front().status;
}

class Submission {
 public:
  Submission(Line& line, const Envelope& envelope, const Content& content)
      : line_(line), envelope_(envelope), content_(content) {}

  Outcome run() {
    if (auto done = talk(); !done) {
      if (out_.why.empty()) {
        out_.why = done.error().text;
        out_.again = done.error().kind == po::Kind::kTemporary;
        out_.status = out_.again ? EX_TEMPFAIL : EX_PROTOCOL;
      }
    }
    return std::move(out_);
  }

 private:
  /// Ends with an error if the rest of the dialogue has no sense; why is then in out_, or in the error.
  po::Result<void> talk() {
    std::string text = "EHLO localhost\r\n" + mail_command();
    std::size_t next = append_recipients(0, text);
    if (small_) text.append(content_command()).append(content_.start).append("QUIT\r\n");
    auto written = line_.write(text);
    for (int i = 0; i < 3; ++i) {  // greeting, EHLO, MAIL
      if (auto r = expect_good(); !r) return written ? r : out_.why.empty() ? written : r;
    }
    if (auto r = read_recipients(0, next); !r) return r;
    while (next < envelope_.recipients.size()) {
      text.clear();
      std::size_t first = std::exchange(next, append_recipients(next, text));
      if (auto r = line_.write(text); !r) return r;
      if (auto r = read_recipients(first, next); !r) return r;
    }
    if (out_.refused.size() == envelope_.recipients.size()) return nobody_left();
    auto content = small_ ? po::Result<void>{} : write_content();
    if (!out_.why.empty()) return content;
    auto ended = end();
    return !ended && !content && out_.why.empty() ? content : ended;
  }

  [[nodiscard]] std::string mail_command() const {
    std::string out = "MAIL FROM:<" + envelope_.sender + "> SIZE=" + std::to_string(content_.size());
    if (envelope_.body_8bit) out += " BODY=8BITMIME";
    bool utf8 = !po::is_ascii(envelope_.sender);
    for (const po::Mailbox& m : envelope_.recipients) utf8 = utf8 || !po::is_ascii(m.local);
    if (utf8) out += " SMTPUTF8";
    if (!envelope_.ret.empty()) out += " RET=" + envelope_.ret;
    if (!envelope_.envid.empty()) out += " ENVID=" + po::xtext_encode(envelope_.envid);
    return out + "\r\n";
  }

  /// Returns the first that was not appended.
  std::size_t append_recipients(std::size_t first, std::string& text) const {
    std::size_t end = std::min(first + kPipelined, envelope_.recipients.size());
    for (std::size_t i = first; i < end; ++i) {
      text += "RCPT TO:<" + envelope_.recipients[i].canonical() + ">";
      if (!envelope_.notify.empty()) text += " NOTIFY=" + envelope_.notify;
      text += "\r\n";
    }
    return end;
  }

  [[nodiscard]] std::string content_command() const {
    return "BDAT " + std::to_string(content_.size()) + " LAST\r\n";
  }

  po::Result<void> write_content() {
    if (auto r = line_.write(content_command()); !r) return r;
    if (auto r = line_.write(content_.start); !r) return r;
    std::array<char, 65536> piece;
    for (std::uint64_t at = 0; at < content_.file_size;) {
      ssize_t n = ::pread(content_.file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return give_up(EX_IOERR, "the temporary file cannot be read");
      at += static_cast<std::uint64_t>(n);
      if (auto r = line_.write({piece.data(), static_cast<std::size_t>(n)}); !r) return r;
    }
    return line_.write("QUIT\r\n");
  }

  po::Result<void> expect_good() {
    auto reply = line_.read();
    if (!reply) return tl::unexpected(reply.error());
    return reply->good() ? po::Result<void>{} : refused(*reply);
  }

  po::Result<void> read_recipients(std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) {
      auto reply = line_.read();
      if (!reply) return tl::unexpected(reply.error());
      if (reply->good()) continue;
      // A small content is on its way behind the commands: smtpd takes it for the others, unless it closes.
      if (reply->code == 421 || (passing(*reply) && !small_)) return refused(*reply);
      out_.refused.push_back({"<" + envelope_.recipients[i].canonical() + ">: " + reply->line(),
                              exit_status(*reply), i, passing(*reply)});
    }
    return {};
  }

  po::Result<void> end() {
    auto reply = line_.read();
    if (!reply) return tl::unexpected(reply.error());
    if (!reply->good()) return refused(*reply);
    out_.taken = true;
    out_.status = status_of(out_.refused);
    // The 221, so that the session ends in good order; without it the message is taken all the same.
    line_.limit(kByeLimit);
    (void)line_.read();
    return {};
  }

  po::Result<void> nobody_left() {
    out_.why = "no recipient was taken";
    out_.status = status_of(out_.refused);
    out_.again = std::ranges::any_of(out_.refused, &Refusal::passing);
    return po::permanent(out_.why);
  }
  po::Result<void> refused(const Reply& reply) {
    return give_up(exit_status(reply), reply.line(), passing(reply));
  }
  po::Result<void> give_up(int status, std::string why, bool again = false) {
    out_.status = status;
    out_.why = std::move(why);
    out_.again = again;
    return po::permanent(out_.why);
  }

  Line& line_;
  const Envelope& envelope_;
  const Content& content_;
  bool small_ = content_.size() <= kSmall && envelope_.recipients.size() <= kPipelined;
  Outcome out_;
};

}  // namespace

Outcome submit(po::Fd socket, const Envelope& envelope, const Content& content, Clock::time_point greeting_by,
               bool verbose) {
  Line line(std::move(socket), greeting_by, verbose);
  return Submission(line, envelope, content).run();
}

bool keep_put_off(Envelope& envelope, Outcome& outcome, Outcome& settled) {
  if (!outcome.taken || std::ranges::none_of(outcome.refused, &Refusal::passing)) return false;
  settled.taken = true;
  std::vector<po::Mailbox> left;
  for (Refusal& r : outcome.refused) {
    if (r.passing) {
      left.push_back(std::move(envelope.recipients[r.recipient]));
    } else {
      settled.refused.push_back(std::move(r));
    }
  }
  envelope.recipients = std::move(left);
  return true;
}

Outcome together(Outcome settled, Outcome last, const Envelope& envelope) {
  if (!settled.taken) return last;
  if (!last.taken) {
    std::vector<bool> named(envelope.recipients.size());
    for (const Refusal& r : last.refused) named[r.recipient] = true;
    for (std::size_t i = 0; i < named.size(); ++i) {
      if (named[i]) continue;
      last.refused.push_back({"<" + envelope.recipients[i].canonical() + ">: " + last.why, last.status, i});
    }
  }
  std::ranges::move(last.refused, std::back_inserter(settled.refused));
  settled.status = status_of(settled.refused);
  return settled;
}

}  // namespace sendmail
