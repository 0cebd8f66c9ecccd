#pragma once
extern const unsigned char kModel[9];
