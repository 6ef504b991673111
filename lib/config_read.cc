// Reading post.office.conf and what other files say where it is silent. Parsing is in config.cc.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "lib/config.h"
#include "lib/fd.h"

namespace po::config {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;

std::string kernel_hostname() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  std::string out = name.data();
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Whoever can write the file decides what root starts.
std::string unsafe_file(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return fmt::format("cannot be examined: {}", std::strerror(errno));
  if (!S_ISREG(st.st_mode)) return "is not a regular file";
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return "is writable by others than its owner; take that away with chmod go-w";
  if (geteuid() == 0 && st.st_uid != 0) return "does not belong to root; give it back with chown root";
  return {};
}

Result<std::string> read_whole(int fd) {
  std::string text;
  std::array<char, 16384> piece;
  while (text.size() <= kMaxFile) {
    ssize_t n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return permanent("cannot be read", errno);
    if (n == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return permanent("is larger than a megabyte");
}

}  // namespace

Parsed read(const std::string& file) {
  Parsed failed;
  failed.config.file = file;
  Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    failed.problems.push_back(
        fmt::format("{}: cannot be opened: {}; name another with -c FILE", file, std::strerror(errno)));
    return failed;
  }
  if (std::string why = unsafe_file(fd.get()); !why.empty()) {
    failed.problems.push_back(fmt::format("{}: {}", file, why));
    return failed;
  }
  auto text = read_whole(fd.get());
  if (!text) {
    failed.problems.push_back(fmt::format("{}: {}", file, text.error().text));
    return failed;
  }
  Parsed out = parse(*text, file);
  if (out.config.hostname.empty()) out.config.hostname = kernel_hostname();
  if (!out.config.resolvers_given) {
    Fd resolv(open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC));
    auto lines = resolv ? read_whole(resolv.get()) : Result<std::string>("");
    out.config.resolvers = parse_resolv_conf(lines.value_or(""));
  }
  return out;
}

}  // namespace po::config
