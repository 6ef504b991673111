// Asks saslauthd(8) whether a user of this machine has this password: for accounts with Use-System-Password.
// The protocol is saslauthd's own, on its Unix socket: four strings (user, password, service, realm), each
// behind its length in two octets, network order; then one such string back, which begins with OK or NO.
// accounts may open no socket: the dispatcher connects and passes the connection. saslauthd is trusted to
// decide, not to answer: waiting and octets are bounded. Caller: authenticate, in its own threads.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "lib/fd.h"

namespace accounts::saslauthd {

inline constexpr std::chrono::seconds kLongestWait{30};
/// The service that PAM is asked for: /etc/pam.d/post.office if there is one, else /etc/pam.d/other.
inline constexpr std::string_view kService = "post.office";

/// Nothing if saslauthd must not be asked: an empty string (PAM may let an empty password in), one with a NUL
/// (saslauthd would see its beginning only), or one that is too long.
[[nodiscard]] std::optional<std::string> question(std::string_view user, std::string_view password);

enum class Answer { kYes, kNo, kGarbage };
/// Of the whole answer, without its length. Pure.
[[nodiscard]] Answer parse_answer(std::string_view text);

/// Sends a question() and waits for the answer; blocks. Temporary failure if there is none in time.
[[nodiscard]] po::Result<bool> ask(const po::Fd& connection, std::string_view question,
                                   std::chrono::milliseconds wait = kLongestWait);

}  // namespace accounts::saslauthd
