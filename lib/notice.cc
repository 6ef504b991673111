#include "lib/notice.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/error.h"

namespace po {

static constexpr std::size_t kMac = 32;
static constexpr std::size_t kHead = 12;
static constexpr std::size_t kMaxDatagram = 512;

std::string hmac_sha256(const messages::Key& key, std::string_view data) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac, &length) == nullptr) {
    panic("HMAC failed");
  }
  return {reinterpret_cast<const char*>(mac), length};
}

bool same_octets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string seal(const messages::Key& key, std::string_view purpose, std::string_view body) {
  return std::string(body) + hmac_sha256(key, std::string(purpose).append(body));
}

std::optional<std::string_view> unseal(const messages::Key& key, std::string_view purpose,
                                       std::string_view sealed) {
  if (sealed.size() < kMac) return std::nullopt;
  std::string_view body = sealed.substr(0, sealed.size() - kMac);
  std::string wanted = hmac_sha256(key, std::string(purpose).append(body));
  if (!same_octets(wanted, sealed.substr(body.size()))) return std::nullopt;
  return body;
}

std::string NoticeWriter::seal(const messages::Notice& notice) {
  std::string out;
  wire::Writer w(out);
  w.put(incarnation_);
  w.put(++counter_);
  w.put(notice);
  return out + hmac_sha256(key_, out);
}

std::optional<messages::Notice> NoticeReader::open(std::string_view datagram) {
  if (datagram.size() < kHead + kMac || datagram.size() > kMaxDatagram) return std::nullopt;
  std::string_view signed_part = datagram.substr(0, datagram.size() - kMac);
  if (!same_octets(hmac_sha256(key_, signed_part), datagram.substr(signed_part.size()))) return std::nullopt;
  wire::Reader r(signed_part);
  std::uint32_t sender = 0;
  std::uint64_t counter = 0;
  messages::Notice notice;
  r.get(sender);
  r.get(counter);
  r.get(notice);
  if (!r.complete() || sender != incarnation_ || counter <= last_) return std::nullopt;
  last_ = counter;
  return notice;
}

std::optional<std::uint32_t> notice_sender(std::string_view datagram) {
  wire::Reader r(datagram);
  std::uint32_t sender = 0;
  r.get(sender);
  if (!r.ok()) return std::nullopt;
  return sender;
}

}  // namespace po
