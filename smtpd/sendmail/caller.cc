#include "smtpd/sendmail/caller.h"

#include <pwd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/config.h"
#include "lib/header.h"
#include "lib/text.h"

namespace sendmail {

std::string name_in_comment(std::string_view comment, std::string_view login) {
  std::string out;
  for (char c : comment.substr(0, comment.find(','))) {
    if (c != '&' || login.empty()) {
      out += c;
      continue;
    }
    std::size_t at = out.size();
    out += login;
    if (out[at] >= 'a' && out[at] <= 'z') out[at] = static_cast<char>(out[at] - 'a' + 'A');
  }
  return std::string(po::trim(out));
}

Caller find_caller() {
  Caller caller;
  const passwd* entry = getpwuid(getuid());
  if (entry == nullptr) {
    caller.login = "uid" + std::to_string(getuid());
    return caller;
  }
  caller.login = entry->pw_name;
  if (entry->pw_gecos != nullptr) caller.full_name = name_in_comment(entry->pw_gecos, caller.login);
  return caller;
}

static Place place_of(const po::config::Config& config) {
  Place place;
  place.socket = config.run_path("submission");
  for (const auto& service : config.services) {
    bool here = !service.off && service.protocol == po::messages::Protocol::kLocalSubmission;
    if (here && !service.listen.empty()) place.socket = service.listen.front().path;
  }
  place.program = config.program("post.office");
  place.hostname = config.hostname;
  return place;
}

tl::expected<Place, std::string> find_place(const std::string& file) {
  bool may_lack = file == po::config::kDefaultFile;
  if (may_lack && access(file.c_str(), R_OK) != 0 && (errno == ENOENT || errno == EACCES)) {
    char name[256] = {};
    if (gethostname(name, sizeof name - 1) != 0) name[0] = '\0';
    Place place = place_of({});
    place.hostname = po::ascii_lower(name);
    return place;
  }
  auto parsed = po::config::read(file);
  if (!parsed.problems.empty()) return tl::unexpected<std::string>(parsed.problems.front());
  Place place = place_of(parsed.config);
  place.config_file = file;
  return place;
}

std::string date_now() {
  time_t now = time(nullptr);
  tm local{};
  int offset = localtime_r(&now, &local) != nullptr ? static_cast<int>(local.tm_gmtoff / 60) : 0;
  return po::format_date(now, offset);
}

std::string new_message_id(std::string_view host) {
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  unsigned char random[16] = {};
  std::string id;
  if (getrandom(random, sizeof random, 0) == sizeof random) {
    for (unsigned char c : random) id += kDigits[c % 32];
  }
  std::string when = std::to_string(time(nullptr)) + "." + std::to_string(getpid());
  return po::make_message_id(when + "." + id, host.empty() ? "localhost" : host);
}

}  // namespace sendmail
