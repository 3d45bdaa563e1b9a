//! What strangers try, a named test for each, with bounded memory and work.
//!
//! | attack | against the parts ([`parts`]) | against the machine ([`servent`], transfers in `transfer/attacks.rs`) |
//! | --- | --- | --- |
//! | decompression bombs | `a_bomb_in_a_link_ends_it`, `a_bomb_in_a_datagram_is_dropped`, `bombs_in_every_field_…`, `a_bomb_in_a_table_…` | `a_decompression_bomb_ends_its_link` |
//! | QRP patch overflow, resets without end | `resets_by_the_thousand_…` | `a_patch_that_overflows_its_table_ends_its_link` |
//! | TTL 255, hops overflow | `a_ttl_of_255_…`, `hops_do_not_overflow` | `a_ttl_of_255_is_cut_and_hops_of_255_go_nowhere` |
//! | GUID spoofing and reuse, loops | | `loops_and_reused_guids_…`, `a_hit_nobody_asked_for_…`, `a_guid_of_another_servent_…`, `hits_in_the_name_of_a_neighbour_…`, `a_probe_may_be_followed_…` |
//! | query, ping and pong floods | `a_query_of_a_thousand_words_…` | `a_flood_of_queries_…`, `pings_again_and_again_…`, `pongs_and_addresses_…` |
//! | zero-length and oversized messages | `a_length_is_not_believed`, `empty_messages_…`, `half_a_message_…`, `a_hit_that_says_255_records_…` | `oversized_and_empty_messages`, `vendor_messages_of_all_kinds_…` |
//! | header floods, slow loris | `header_floods_…`, `a_slow_handshake_…`, `lists_of_addresses_…`, `bytes_before_an_answer_…` | `slow_loris_and_header_floods_…`, `one_address_cannot_take_all_places` |
//! | slow readers | | `a_neighbour_that_takes_nothing_costs_its_queue` |
//! | path traversal in names | | `no_path_leads_out_…`, `no_name_of_a_stranger_…` |
//! | range nonsense | | `ranges_of_nonsense_…`, `answers_that_lie_…`, `sizes_at_both_ends` |
//! | OOB and other amplification by UDP | | `oob_amplification_…`, `a_neighbour_names_no_address_…`, `who_asks_to_be_dialled_…`, `pings_by_udp_…`; `servents/oob.rs` |
//! | anything | fuzz targets `gnutella_wire`, `gnutella_links` | `arbitrary_bytes_break_nothing`, fuzz target `gnutella_servent` |

mod parts;
mod servent;
