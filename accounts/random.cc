#include "accounts/random.h"

#include <openssl/rand.h>

#include "lib/error.h"

namespace accounts {

namespace {

void fill(void* octets, std::size_t count) {
  if (RAND_bytes(static_cast<unsigned char*>(octets), static_cast<int>(count)) != 1)
    po::panic("no random octets");
}

}  // namespace

std::string random_octets(std::size_t count) {
  std::string octets(count, '\0');
  fill(octets.data(), count);
  return octets;
}

po::messages::Key random_key() {
  po::messages::Key key;
  fill(key.data(), key.size());
  return key;
}

std::uint64_t random_number() {
  std::uint64_t n = 0;
  fill(&n, sizeof n);
  return n;
}

}  // namespace accounts
