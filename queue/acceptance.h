// From what an smtpd submits to a change of the store: checks every field again (an smtpd that was taken over
// sends what it likes), routes each recipient by the directory as it is now, makes the lines that each
// mailbox sees before the body. Pure but for the router that is passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lib/directory/reader.h"
#include "lib/messages.h"
#include "lib/store/store.h"

namespace queue {

using Router = std::function<po::Result<directory::Routed>(std::string_view address)>;

struct Refusal {
  po::Kind kind = po::Kind::kTemporary;
  std::string text;
};

/// The strings of `submit` are moved from.
[[nodiscard]] tl::expected<store::Accept, Refusal> make_accept(po::messages::Submit&& submit,
                                                               const Router& route, std::uint64_t now_ms);

}  // namespace queue
