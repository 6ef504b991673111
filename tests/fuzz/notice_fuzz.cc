// UDP datagrams. Whatever comes from outside is refused; what comes with the right seal but any content is
// either refused or a notice of the sender whose key it is, and is taken once.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "lib/notice.h"

static constexpr std::uint32_t kSender = 7;

static po::messages::Key key(std::uint8_t fill) {
  po::messages::Key k;
  k.fill(fill);
  return k;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  po::NoticeReader reader(kSender, key(1));
  if (reader.open(in)) po::panic("a forged notice was taken");  // it would have to guess 256 bits

  std::string sealed(in);
  sealed += po::hmac_sha256(key(1), in);
  std::string foreign(in);
  foreign += po::hmac_sha256(key(2), in);
  if (reader.open(foreign)) po::panic("a notice with another's seal was taken");
  if (auto notice = reader.open(sealed)) {
    if (po::notice_sender(sealed) != kSender) po::panic("a notice of another sender was taken");
    if (sealed.size() != 12 + po::wire::encode(*notice).size() + 32)
      po::panic("a notice with more in it was taken");
    if (reader.open(sealed)) po::panic("a notice was taken twice");
    sealed[size % sealed.size()] = static_cast<char>(sealed[size % sealed.size()] ^ 1);
    if (po::NoticeReader(kSender, key(1)).open(sealed)) po::panic("a changed notice was taken");
  }
  return 0;
}
