package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against three loops. All numbers are small and whole, so that every product must be exact. */
class PanelsTest {
    private static final boolean MULTIPLIES_UNPACKED = Gemm.multipliesUnpacked;

    @AfterEach
    void reset() {
        Gemm.multipliesUnpacked = MULTIPLIES_UNPACKED;
    }

    /**
     * Outputs come in four stretches, as gates do; 320 outputs fill a panel, 640 two, and what is left
     * over a third. The last 8 of 200 outputs and the last 4 of 324 are not in a panel, those of 60 and 36 are.
     */
    @ParameterizedTest
    @CsvSource({"1, 1, 1, true", "3, 5, 7, true", "16, 200, 200, true", "33, 40, 128, true", "4, 130, 80, true",
            "4, 130, 81, true", "100, 513, 160, true", "7, 112, 300, true", "16, 200, 200, false", "3, 5, 130, false",
            "16, 800, 50, true", "170, 200, 50, true", "301, 512, 81, true", "9, 32, 15, true", "9, 28, 50, true",
            "16, 32, 9, true", "16, 200, 1, true", "16, 800, 50, false"})
    void multiplyIsTheProduct(int rows, int inputs, int stretch, boolean unpacked) {
        Gemm.multipliesUnpacked = unpacked;
        Random random = new Random(5);
        int outputs = 4 * stretch;
        float[][] weights = new float[inputs][outputs];
        Panels panels = new Panels();
        int columns = Gemm.columns(outputs);
        panels.allocate(inputs, outputs);
        for (int g = 0; g < 4; g++) {
            float[] part = new float[inputs * stretch];
            for (int i = 0; i < part.length; i++) {
                part[i] = random.nextInt(17) - 8;
                weights[i / stretch][g * stretch + i % stretch] = part[i];
            }
            panels.put(part, g * stretch, stretch);
        }
        Memory a = Memory.allocate((long) rows * (inputs + 3));
        float[] values = new float[rows * (inputs + 3)];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(17) - 8;
        }
        Memory.put(a.view(), 0, values, values.length);
        Memory c = Memory.allocate((long) rows * columns);
        for (int time = 1; time <= 2; time++) {
            panels.multiply(rows, a.at(0, a.length()), inputs + 3, time - 1, c.at(0, c.length()), columns, time == 2);
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    double expected = 0;
                    for (int k = 0; k < inputs && j < outputs; k++) {
                        expected += time * values[i * (inputs + 3) + k] * weights[k][j];
                    }
                    assertEquals(expected, c.get((long) i * columns + j), "row " + i + ", output " + j + ", time " + time);
                }
            }
        }
    }
}
