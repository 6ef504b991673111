#include "accounts/saslauthd.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace accounts::saslauthd {

namespace {

using Clock = std::chrono::steady_clock;

/// What saslauthd itself takes.
constexpr std::size_t kLongestString = 1024;
constexpr std::size_t kLongestAnswer = 1024;

void put(std::string& out, std::string_view text) {
  out += static_cast<char>(text.size() >> 8);
  out += static_cast<char>(text.size() & 0xff);
  out += text;
}

bool fit(std::string_view text) {
  return !text.empty() && text.size() <= kLongestString && text.find('\0') == std::string_view::npos;
}

po::Result<void> wait_for(int fd, short what, Clock::time_point until) {
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return po::temporary("saslauthd does not answer");
    pollfd p{fd, what, 0};
    int n = ::poll(&p, 1, static_cast<int>(left));
    if (n > 0) return {};
    if (n < 0 && errno != EINTR) return po::temporary("waiting for saslauthd", errno);
  }
}

/// Whether the call is to be made again.
bool not_now(ssize_t n) {
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

po::Result<void> write_all(int fd, std::string_view octets, Clock::time_point until) {
  while (!octets.empty()) {
    if (auto ok = wait_for(fd, POLLOUT, until); !ok) return ok;
    ssize_t n = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (not_now(n)) continue;
    if (n < 0) return po::temporary("writing to saslauthd", errno);
    octets.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

po::Result<std::string> read_exactly(int fd, std::size_t count, Clock::time_point until) {
  std::string in(count, '\0');
  for (std::size_t have = 0; have < count;) {
    if (auto ok = wait_for(fd, POLLIN, until); !ok) return tl::make_unexpected(ok.error());
    ssize_t n = ::recv(fd, in.data() + have, count - have, MSG_DONTWAIT);
    if (not_now(n)) continue;
    if (n < 0) return po::temporary("reading from saslauthd", errno);
    if (n == 0) return po::temporary("saslauthd closed the connection");
    have += static_cast<std::size_t>(n);
  }
  return in;
}

}  // namespace

std::optional<std::string> question(std::string_view user, std::string_view password) {
  if (!fit(user) || !fit(password)) return std::nullopt;
  std::string out;
  for (std::string_view text : {user, password, kService, std::string_view()}) put(out, text);
  return out;
}

Answer parse_answer(std::string_view text) {
  auto is = [&](std::string_view word) {
    return text.starts_with(word) &&
           (text.size() == word.size() || text[word.size()] == ' ' || text[word.size()] == '\0');
  };
  if (is("OK")) return Answer::kYes;
  return is("NO") ? Answer::kNo : Answer::kGarbage;
}

po::Result<bool> ask(const po::Fd& connection, std::string_view question, std::chrono::milliseconds wait) {
  auto until = Clock::now() + wait;
  if (auto ok = write_all(connection.get(), question, until); !ok) return tl::make_unexpected(ok.error());
  auto head = read_exactly(connection.get(), 2, until);
  if (!head) return tl::make_unexpected(head.error());
  std::size_t size = static_cast<unsigned char>((*head)[0]) << 8 | static_cast<unsigned char>((*head)[1]);
  if (size > kLongestAnswer) return po::temporary("saslauthd answers with garbage");
  auto text = read_exactly(connection.get(), size, until);
  if (!text) return tl::make_unexpected(text.error());
  Answer answer = parse_answer(*text);
  if (answer == Answer::kGarbage) return po::temporary("saslauthd answers with garbage");
  return answer == Answer::kYes;
}

}  // namespace accounts::saslauthd
