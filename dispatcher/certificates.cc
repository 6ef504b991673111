#include "dispatcher/certificates.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/fd.h"
#include "lib/tls.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::config::CertificateFiles;
using po::messages::Certificate;

static constexpr std::size_t kMaxPem = 256 * 1024;
static constexpr std::size_t kKeysKept = 3;
static constexpr const char* kChainName = "certificate.pem";
static constexpr const char* kKeyName = "key.pem";

static std::string tls_directory(const po::config::Config& config) {
  return config.spool_directory + "/tls";
}

std::vector<CertificateFiles> certificate_files(const po::config::Config& config) {
  if (!config.certificates.empty()) return config.certificates;
  std::string dir = tls_directory(config);
  return {{dir + "/" + kChainName, dir + "/" + kKeyName, 0}};
}

static Result<std::string> read_pem(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return permanent(fmt::format("{} cannot be opened", path), errno);
  std::string text(kMaxPem + 1, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    ssize_t n = read(fd.get(), text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return permanent(fmt::format("{} cannot be read", path), errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  if (have > kMaxPem) return permanent(fmt::format("{} is larger than {} octets", path, kMaxPem));
  text.resize(have);
  return text;
}

Result<Certificate> read_certificate(const CertificateFiles& files) {
  auto chain = read_pem(files.chain);
  if (!chain) return tl::unexpected(chain.error());
  auto key = read_pem(files.key);
  if (!key) return tl::unexpected(key.error());
  po::messages::Certificates one;
  one.certificates.push_back({std::move(*chain), std::move(*key)});
  if (auto context = po::TlsContext::make(one); !context) {
    return permanent(
        fmt::format("{} with {}: {}; both must be PEM, and the key the one that the certificate was made for",
                    files.chain, files.key, context.error().text));
  }
  return std::move(one.certificates[0]);
}

Result<std::vector<Certificate>> read_certificates(const std::vector<CertificateFiles>& all) {
  std::vector<Certificate> out;
  std::size_t octets = 0;
  for (const CertificateFiles& files : all) {
    auto one = read_certificate(files);
    if (!one) return tl::unexpected(one.error());
    octets += one->chain.size() + one->key.size() + 8;
    out.push_back(std::move(*one));
  }
  if (octets + 4096 > po::messages::Certificates::kMax)
    return permanent("all certificates together are larger than 1 MiB");
  return out;
}

/// Below a descriptor and never over something that is there: the directory's parent belongs to the suite's
/// user.
static Result<void> write_new(int dir, const char* name, const std::string& text, mode_t mode, gid_t group) {
  Fd fd(openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return permanent(fmt::format("tls/{} cannot be made", name), errno);
  bool ok = write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
            (geteuid() != 0 || fchown(fd.get(), 0, group) == 0) && fchmod(fd.get(), mode) == 0 &&
            fsync(fd.get()) == 0;
  if (ok) return {};
  int error = errno;
  unlinkat(dir, name, 0);
  return permanent(fmt::format("tls/{} cannot be written", name), error);
}

Result<bool> make_certificate_if_none(const po::config::Config& config, const Identity& who) {
  if (!config.certificates.empty()) return false;
  Fd dir(open(tls_directory(config).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!dir || fstat(dir.get(), &st) != 0)
    return permanent(fmt::format("{} cannot be opened", tls_directory(config)), errno);
  if (st.st_uid != geteuid())
    return permanent(
        fmt::format("{} belongs to uid {}, not to {}", tls_directory(config), st.st_uid, geteuid()));
  bool chain = faccessat(dir.get(), kChainName, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  bool key = faccessat(dir.get(), kKeyName, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (chain && key) return false;
  if (key) unlinkat(dir.get(), kKeyName, 0);  // a crash between the two files: the chain is written last
  if (chain) unlinkat(dir.get(), kChainName, 0);
  auto made = po::make_self_signed(config.hostname);
  if (!made) return tl::unexpected(made.error());
  mode_t key_mode = geteuid() == 0 ? 0640 : 0600;
  if (auto r = write_new(dir.get(), kKeyName, made->key, key_mode, who.gid); !r)
    return tl::unexpected(r.error());
  if (auto r = write_new(dir.get(), kChainName, made->chain, 0644, who.gid); !r)
    return tl::unexpected(r.error());
  fsync(dir.get());
  return true;
}

void SessionTicketKeys::rotate() {
  std::array<std::uint8_t, 80> key{};
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) po::panic("getrandom failed");
  keys_.insert(keys_.begin(), key);
  if (keys_.size() > kKeysKept) keys_.resize(kKeysKept);
}

}  // namespace dispatcher
